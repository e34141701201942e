"""Implement `mcp`: tools for assistants, over the Model Context Protocol on stdin and stdout."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import click
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import AudioContent, CallToolResult, TextContent
from pydantic import Field
from typing_extensions import TypedDict

from tts import __version__
from tts.command.files import format_of, save
from tts.command.options import served, settings
from tts.command.player import Player, find_player
from tts.command.speech import Speech, Wish, find_speech
from tts.speech.audio import FORMATS
from tts.speech.errors import SpeechError
from tts.speech.request import MAX_SPEED, MIN_SPEED
from tts.speech.voices import language_of

INSTRUCTIONS = """Speaks text with a human-sounding voice on the user's machine. Choose a voice of the text's language
(list_voices): a voice reads every text as its own language. Write what is to be heard, without Markdown."""
DEFAULT_FORMAT = "mp3"


class VoiceInfo(TypedDict):
    """Describe a voice that a call may name."""

    name: str
    language: str
    gender: str


class VoiceInfos(TypedDict):
    """List the voices; the first one is the default."""

    voices: list[VoiceInfo]


class Tools:
    """Hold the tools and the client they share, which is opened on the first call.

    The MCP server calls tools concurrently, each on its own thread. Names, parameters and docstrings of `speak` and
    `list_voices` are what an assistant sees of them.
    """

    def __init__(self, find: Callable[[], Speech], player: Callable[[], Player] = find_player) -> None:
        self._find = find
        self._player = player
        self._speech: Speech | None = None
        self._lock = threading.Lock()

    def speak(
        self,
        text: Annotated[str, Field(description="What to say.")],
        voice: Annotated[str | None, Field(description="A voice's name, or a blend: af_bella(2)+af_sky(1).")] = None,
        speed: Annotated[float, Field(description="Pace as a factor.", ge=MIN_SPEED, le=MAX_SPEED)] = 1.0,
        format: Annotated[str | None, Field(description=f"{', '.join(FORMATS)}; as `path` ends, or mp3.")] = None,
        path: Annotated[str | None, Field(description="A file to write the sound to, such as ~/hello.mp3.")] = None,
        aloud: Annotated[bool, Field(description="Play it on the user's machine instead.")] = False,
    ) -> CallToolResult:
        """Speak a text: into a file, aloud on the user's machine, or else as audio in the answer."""
        options = Wish(text, voice, speed)
        try:
            if aloud:
                self._player()(self._found().sound(options, "pcm"))
                return _said("Played.")
            if path is not None:
                return _said(self._saved(options, format, Path(path).expanduser()))
            return self._inline(options, _known(format or DEFAULT_FORMAT))
        except SpeechError as exc:
            raise ToolError(str(exc)) from exc

    def list_voices(self) -> VoiceInfos:
        """List the voices, with their languages."""
        try:
            names = self._found().voices()
        except SpeechError as exc:
            raise ToolError(str(exc)) from exc
        return {"voices": [_described(name) for name in names]}

    def close(self) -> None:
        """Close the client if it was opened."""
        if self._speech is not None:
            self._speech.close()

    def _found(self) -> Speech:
        with self._lock:  # concurrent first calls must not open two clients
            if self._speech is None:
                self._speech = self._find()
            return self._speech

    def _saved(self, options: Wish, format: str | None, path: Path) -> str:
        named = format_of(path)
        # An ending that is no audio format could name a file of another kind, which must not be overwritten.
        if named is None or (format and _known(format) != named):
            raise ToolError(f"{path.name} is no name for a {format or 'sound'} file: end it with .{format or 'mp3'}.")
        try:
            size = save(path.absolute(), named, self._found().sound(options, named))
        except OSError as exc:
            raise ToolError(f"{path} can't be written: {exc.strerror}.") from exc
        return f"Saved {path.absolute()} ({size} bytes)."

    def _inline(self, options: Wish, format: str) -> CallToolResult:
        sound = b"".join(self._found().sound(options, format))
        data = base64.b64encode(sound).decode("ascii")
        return CallToolResult(content=[AudioContent(data=data, mime_type=FORMATS[format].content_type)])


@dataclass(frozen=True)
class _Side:
    """Hold the options that choose the client, until a tool needs it."""

    server: str | None
    local: bool

    def find(self) -> Speech:
        return find_speech(settings(self.server), self.local)


@click.command("mcp")
@served
def run_mcp(server: str | None, local: bool) -> None:
    """Serve the tools `speak` and `list_voices` on stdin and stdout, for an assistant that starts this command.

    \b
    In its configuration:
      {"mcpServers": {"kokoro": {"command": "kokoro-tts-api", "args": ["mcp"]}}}
    """
    settings(server)  # report a wrong setting now, not on the first call of a tool
    with closing(Tools(_Side(server, local).find)) as tools:
        make_server(tools).run("stdio")


def make_server(tools: Tools) -> MCPServer[Any]:
    """Create an MCP server with these tools; `run("stdio")` serves it."""
    server: MCPServer[Any] = MCPServer(
        "kokoro-tts", "Kokoro TTS", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    server.add_tool(tools.speak)
    server.add_tool(tools.list_voices)
    return server


def _said(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)])


def _known(format: str) -> str:
    if format.lower() not in FORMATS:
        raise ToolError(f"Unsupported format {format[:40]!r}: expected {', '.join(FORMATS)}.")
    return format.lower()


def _described(name: str) -> VoiceInfo:
    language = language_of(name[0])
    return {"name": name, "language": language.name, "gender": "female" if name[1] == "f" else "male"}
