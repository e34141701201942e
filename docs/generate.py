"""Generate the documentation pages from the code: `python -m docs.generate`. A test keeps them current."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kokoro_server.config import SETTINGS, Setting, usable_cores
from kokoro_server.core.languages import Gender, Language
from kokoro_server.core.voices import OPENAI_VOICES, VOICES

DOCS_FOLDER = Path(__file__).parent
GENERATED_NOTE = "<!-- Made by `python -m docs.generate`: change {source}, not this page. -->"

DEFAULT_DESCRIPTIONS = {
    "ALLOWED_VOICES": f"all {len(VOICES)}",
    "KOKORO_COMMAND": "`python -m kokoro_server.synthesis.kokoro_command`",
    "MODEL_DIR": "the user's cache folder",
    "DATA_DIR": "the user's data folder",
}
"""Descriptions of defaults that are long, or differ between machines."""

SETTINGS_HEAD = """\
# Settings

Each setting is an environment variable or a command-line argument. The argument has no prefix, lower-case letters and
hyphens:
`KOKORO_MAX_TEXT_LENGTH=500` is `--max-text-length 500`. An argument overrides the variable.

```
KOKORO_PORT=9881 python run.py
python run.py --port 9881
```

In PowerShell:

```powershell
$env:KOKORO_PORT = "9881"; python run.py
```

All settings are validated at the start. With an invalid value or an unknown `KOKORO_` variable the server does not
start; the message names the setting, its value and what is expected.

A boolean setting takes `true`, `1`, `yes`, `on`, `false`, `0`, `no` or `off`. Lists are separated by commas.

| variable | default | allowed | what it does |
|---|---|---|---|
"""

VOICES_HEAD = """\
# Voices

There are {count} voices. The first letter of a name is the language, the second is `f` (female) or `m` (male).

## Listen to them

Start the server and open `http://localhost:9880/`. The page lists all voices by language; each has a button that
plays a short greeting, synthesized by your server.

To save a sample of each voice:

```python
import requests

server = "http://localhost:9880"
languages = requests.get(f"{{server}}/voices", timeout=10).json()["languages"]
for voice in [name for name, code in languages.items() if code == "en-us"]:
    request = {{"text": "Hello. This is how I sound.", "voice": voice}}
    response = requests.post(f"{{server}}/synthesize", json=request, timeout=60)
    response.raise_for_status()
    with open(f"{{voice}}.wav", "wb") as file:
        file.write(response.content)
```

`GET /voices` returns the voices that your server allows (`KOKORO_ALLOWED_VOICES`) and the default
(`KOKORO_DEFAULT_VOICE`).

## By language

| language | code | female | male |
|---|---|---|---|
"""

VOICES_TAIL = """
A text is read in the language of the voice unless the request sets another one (`language`). See
[Languages](languages.md).

## OpenAI's names

OpenAI's voice names are accepted by every route. Each stands for one of Kokoro's voices:

| OpenAI | Kokoro |
|---|---|
{openai}
## Blends

A blend is several voices with weights: `af_bella(2)+af_sky(1)` is two parts Bella and one part Sky. The default
weight is 1. A minus subtracts a voice: `af_bella-af_sky`. A blend has up to ten voices of one language; American and
British English can be mixed. The language of a blend is that of its first voice.

A blend can be used wherever a voice can. `POST /v1/audio/voices/combine` returns it as a `.pt` file: see
[HTTP API](api.md#voices-and-blends).
"""


def render_settings_page() -> str:
    """Render the page of all settings as Markdown."""
    rows = [f"| {' | '.join(_format_row(each))} |\n" for each in SETTINGS]
    return GENERATED_NOTE.format(source="config.py") + "\n\n" + SETTINGS_HEAD + "".join(rows)


def render_voices_page() -> str:
    """Render the page of all voices as Markdown."""
    rows = [f"| {' | '.join(row)} |\n" for row in _list_language_rows()]
    openai = "".join(f"| `{theirs}` | `{ours}` |\n" for theirs, ours in OPENAI_VOICES.items())
    head, tail = VOICES_HEAD.format(count=len(VOICES)), VOICES_TAIL.format(openai=openai)
    return GENERATED_NOTE.format(source="docs/generate.py") + "\n\n" + head + "".join(rows) + tail


PAGES = {"settings.md": render_settings_page, "voices.md": render_voices_page}


def _list_language_rows() -> Iterator[tuple[str, ...]]:
    for language in Language:
        kinds = [[name for name in VOICES if name.startswith(language + gender)] for gender in Gender]
        yield language.title_name, f"`{language.code}`", *(", ".join(f"`{name}`" for name in names) for names in kinds)


def _format_row(each: Setting) -> tuple[str, ...]:
    why = each.why.replace("|", "\\|")
    return f"`{each.variable}`", _format_default(each), _format_range(each), why


def _format_default(each: Setting) -> str:
    if each.name in DEFAULT_DESCRIPTIONS:
        return DEFAULT_DESCRIPTIONS[each.name]
    if each.info.default_factory is usable_cores:
        return "the cores that it may use"
    if each.info.default_factory is not None:
        return "depends on the machine"
    value = each.info.default
    if value in (None, (), ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{_format_number(value)}`{_format_unit(each)}" if isinstance(value, int | float) else f"`{value}`"


def _format_range(each: Setting) -> str:
    low, high = each.low, each.high
    if low is None:
        return ""
    return f"{_format_number(low)} to {_format_number(high)}" if high is not None else f"{_format_number(low)} or more"


def _format_unit(each: Setting) -> str:
    return f" {each.unit}" if each.unit else ""


def _format_number(value: float) -> str:
    """Format a number as it is typed, without a decimal point where it is whole."""
    return str(int(value)) if value == int(value) else str(value)


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS_FOLDER / name).write_text(page(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
