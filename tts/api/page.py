"""The page for people at `/`, and the files that it is made of: no build step, nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, current_app, render_template, request

from tts.api.description import HTML, described
from tts.api.responses import limits
from tts.speech.audio import FORMATS, SAMPLE_RATE
from tts.speech.errors import NotFound
from tts.speech.voices import LANGUAGES, Language, Voice, find_voice

blueprint = Blueprint("page", __name__, template_folder="templates")

FILES = Path(__file__).parent / "static"
FILE_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Not left to `mimetypes`: Windows' registry often says text/plain for .js, and browsers refuse such modules."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What the page may load: files of this server alone, and no script that stands in the page."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

SAMPLE = (
    "The lamp in the harbour office burned all night. By morning the fog had lifted, and along the pier "
    "the first boats were coming home."
)
"""What stands in the text area at first, so that one click makes a sound."""

GREETINGS = {
    "a": "Hello, I'm {name}. This is how I sound.",
    "b": "Hello, I'm {name}. This is how I sound.",
    "e": "Hola, soy {name}. Así suena mi voz.",
    "f": "Bonjour, je suis {name}. Voici ma voix.",
    "h": "नमस्ते। मेरी आवाज़ ऐसी है।",
    "i": "Ciao, sono {name}. Questa è la mia voce.",
    "j": "こんにちは。これが私の声です。",
    "p": "Olá, eu sou {name}. Esta é a minha voz.",
    "z": "你好，这就是我的声音。",
}
"""What a voice says when it is tried out, by its language's letter."""
GENDERS = {"f": "female", "m": "male"}


@dataclass(frozen=True)
class Speaker:
    """A voice as people are shown it, and what it says when it is tried out."""

    voice: str
    name: str
    gender: str
    greeting: str


@blueprint.get("/")
@described(answer=(HTML,))
def page() -> Response:
    """Show the page to listen on."""
    html = render_template(
        "page.html",
        groups=speakers(limits().voices),
        shares=shares(find_voice(limits().default_voice, limits().voices)),
        longest=limits().longest,
        formats=list(FORMATS),
        sample_rate=SAMPLE_RATE,
        sample=SAMPLE[: limits().longest],
        has_books="jobs" in current_app.blueprints,
        version=current_app.config["VERSION"],
    )
    return Response(html, mimetype=HTML, headers=HEADERS | {"Cache-Control": "no-cache"})


@blueprint.get("/static/<name>")
def static(name: str) -> Response:
    """Send one of the page's files; a browser that has it already asks only whether it is still the same."""
    path = next((path for path in FILES.iterdir() if path.name == name), None)
    if path is None:
        raise NotFound(f"The page has no file {name[:60]!r}.")
    response = Response(path.read_bytes(), mimetype=FILE_TYPES[path.suffix], headers=HEADERS)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


def speakers(voices: tuple[str, ...]) -> list[tuple[Language, list[Speaker]]]:
    """The voices as they are shown, by language; languages that none of them speaks are left out."""
    groups = [(language, [speaker(voice) for voice in voices if voice[0] == language.letter]) for language in LANGUAGES]
    return [(language, group) for language, group in groups if group]


def speaker(voice: str) -> Speaker:
    """A voice as it is shown: `af_heart` is Heart, female."""
    name = voice.partition("_")[2].capitalize()
    return Speaker(voice, name, GENDERS[voice[1]], GREETINGS[voice[0]].format(name=name))


def shares(voice: Voice) -> list[tuple[str, int]]:
    """The first two voices of a blend, each with its percentage of the two; one voice has all of it."""
    (first, weight), *rest = voice.parts
    if not rest or rest[0][1] <= 0 or weight <= 0:
        return [(first, 100)]
    share = round(100 * weight / (weight + rest[0][1]))
    return [(first, share), (rest[0][0], 100 - share)]
