"""The MCP tools, asked by the SDK's own client: in the same process, and over stdin and stdout as assistants do."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import AudioContent, CallToolResult, TextContent

from kokoro_server.cli.local_client import LocalClient
from kokoro_server.cli.mcp import SpeechTools, make_mcp_server
from kokoro_server.cli.player import PlaybackError, Player
from kokoro_server.config import Config
from kokoro_server.core.errors import SynthesisFailed
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.sound import decoded
from tests.paths import ROOT

Talk = Callable[[Client], Awaitable[None]]


def talk(server: Any, conversation: Talk, mode: str = "auto") -> None:
    async def run() -> None:
        async with asyncio.timeout(40), Client(server, mode=mode) as client:
            await conversation(client)

    asyncio.run(run())


def ask(engine: FakeEngine, conversation: Talk, player: Callable[[], Player] | None = None) -> None:
    """Talk to tools that speak with `engine`."""
    with closing(SpeechTools(lambda: LocalClient(Config(), engine), player or no_player)) as tools:
        talk(make_mcp_server(tools), conversation)


def no_player() -> Player:
    raise PlaybackError("Nothing here plays sound.")


def text_of(answer: CallToolResult) -> str:
    (content,) = answer.content
    assert isinstance(content, TextContent)
    return content.text


def sound_of(answer: CallToolResult) -> tuple[bytes, str]:
    (content,) = answer.content
    assert isinstance(content, AudioContent) and not answer.is_error
    return base64.b64decode(content.data), content.mime_type


def test_the_tools_are_described() -> None:
    async def look(client: Client) -> None:
        speak, list_voices = (await client.list_tools()).tools
        assert (speak.name, list_voices.name) == ("speak", "list_voices")
        assert speak.input_schema["required"] == ["text"]
        assert all(field["description"] for field in speak.input_schema["properties"].values())
        assert "voices" in (list_voices.output_schema or {})["properties"]

    ask(FakeEngine(), look)


def test_it_lists_the_voices() -> None:
    async def look(client: Client) -> None:
        answer = await client.call_tool("list_voices", {})
        voices = (answer.structured_content or {})["voices"]
        assert len(voices) == 54
        assert voices[0] == {"name": "af_heart", "language": "American English", "gender": "female"}

    ask(FakeEngine(), look)


def test_it_answers_with_sound() -> None:
    engine = FakeEngine(0.5)

    async def speak(client: Client) -> None:
        data, kind = sound_of(await client.call_tool("speak", {"text": "Hello.", "voice": "bf_emma", "speed": 1.25}))
        samples, rate = decoded(data, "mp3")
        assert kind == "audio/mpeg" and len(samples) / rate == pytest.approx(0.4, abs=0.05)
        data, kind = sound_of(await client.call_tool("speak", {"text": "Hello.", "format": "FLAC"}))
        assert kind == "audio/flac" and data.startswith(b"fLaC")

    ask(engine, speak)
    assert [(each.text, each.voice.name) for each in engine.requests] == [("Hello.", "bf_emma"), ("Hello.", "af_heart")]


def test_it_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"

    async def speak(client: Client) -> None:
        answer = await client.call_tool("speak", {"text": "Hello.", "path": str(path)})
        assert text_of(answer) == f"Saved {path} ({path.stat().st_size} bytes)."

    ask(FakeEngine(0.5), speak)
    assert len(decoded(path.read_bytes(), "wav")[0]) == 12_000


def test_it_plays() -> None:
    played: list[bytes] = []

    async def speak(client: Client) -> None:
        assert text_of(await client.call_tool("speak", {"text": "Hello.", "aloud": True})) == "Played."

    ask(FakeEngine(0.5), speak, lambda: played.extend)
    assert len(b"".join(played)) == 24_000


REFUSED = [
    ({"text": " "}, "text is empty"),
    ({"text": "Hi.", "voice": "af_hart"}, "Did you mean af_heart"),
    ({"text": "Hi.", "format": "ogg"}, "Unsupported format 'ogg': expected wav, mp3"),
    ({"text": "Hi.", "speed": 9}, "less than or equal to 4"),
    ({"text": "Hi.", "aloud": True}, "Nothing here plays sound."),
    ({"text": "Hi.", "path": "{folder}/.bashrc"}, ".bashrc is no name for a sound file: end it with .mp3."),
    ({"text": "Hi.", "path": "{folder}/x.wav", "format": "mp3"}, "x.wav is no name for a mp3 file"),
    ({"text": "Hi.", "path": "{folder}/none/x.wav"}, "can't be written: No such file or directory."),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_it_says_why_not(arguments: dict[str, Any], words: str, tmp_path: Path) -> None:
    async def speak(client: Client) -> None:
        given = {
            name: value.format(folder=tmp_path) if isinstance(value, str) else value
            for name, value in arguments.items()
        }
        answer = await client.call_tool("speak", given)
        assert answer.is_error and words in text_of(answer)

    ask(FakeEngine(), speak)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_breaks_is_told_and_used_again(tmp_path: Path) -> None:
    engine = FakeEngine(fail_at=1, error=SynthesisFailed("It broke."))
    path = tmp_path / "x.mp3"

    async def speak(client: Client) -> None:
        answer = await client.call_tool("speak", {"text": "A sentence of some length. " * 20, "path": str(path)})
        assert answer.is_error and "It broke." in text_of(answer)
        assert list(tmp_path.iterdir()) == []
        assert sound_of(await client.call_tool("speak", {"text": "Hi."}))[0]

    ask(engine, speak)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with live(make_app(tmp_path, FakeEngine(0.5), ALLOWED_VOICES=("bf_emma",), DEFAULT_VOICE="bf_emma")) as address:
        yield address


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_assistant_starts_it_and_asks(server: str, tmp_path: Path, mode: str) -> None:
    async def speak(client: Client) -> None:
        voices = (await client.call_tool("list_voices", {})).structured_content
        assert voices == {"voices": [{"name": "bf_emma", "language": "British English", "gender": "female"}]}
        both = [client.call_tool("speak", {"text": "Hello.", "path": str(tmp_path / f"{n}.opus")}) for n in "ab"]
        assert all("Saved" in text_of(answer) for answer in await asyncio.gather(*both))

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KOKORO_SERVER": server}
    command = StdioServerParameters(command=sys.executable, args=["-m", "kokoro_server", "mcp"], env=environment)
    talk(command, speak, mode)
    assert (tmp_path / "a.opus").read_bytes().startswith(b"OggS")
