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

from kokoro_server import __version__
from kokoro_server.audio.samples import FORMATS
from kokoro_server.cli.client import SayOptions, SpeechClient, open_client
from kokoro_server.cli.files import detect_format, save_audio
from kokoro_server.cli.options import add_server_options, load_settings
from kokoro_server.cli.player import Player, find_player
from kokoro_server.core.errors import SpeechError
from kokoro_server.core.request import MAX_SPEED, MIN_SPEED
from kokoro_server.core.voices import get_voice_gender, get_voice_language

INSTRUCTIONS = """Speaks text with a human-sounding voice on the user's machine. Choose a voice for the language of
the text (list_voices): a voice reads every text as its own language. Write plain sentences, without Markdown."""
DEFAULT_INLINE_FORMAT = "mp3"


class VoiceInfo(TypedDict):
    """Describe a voice that a call may name."""

    name: str
    language: str
    gender: str


class VoiceInfos(TypedDict):
    """List the voices; the first one is the default."""

    voices: list[VoiceInfo]


class SpeechTools:
    """Hold the tools and the client they share, which is opened on the first call.

    The MCP server calls tools concurrently, each on its own thread. Names, parameters and docstrings of `speak` and
    `list_voices` are what an assistant sees of them.
    """

    def __init__(
        self, open_client: Callable[[], SpeechClient], find_player: Callable[[], Player] = find_player
    ) -> None:
        self._open_client = open_client
        self._find_player = find_player
        self._client: SpeechClient | None = None
        self._lock = threading.Lock()

    def speak(  # the arguments of the tool, as assistants see them
        self,
        text: Annotated[str, Field(description="What to say.")],
        voice: Annotated[str | None, Field(description="A voice's name, or a blend: af_bella(2)+af_sky(1).")] = None,
        speed: Annotated[float, Field(description="Pace as a factor.", ge=MIN_SPEED, le=MAX_SPEED)] = 1.0,
        format: Annotated[str | None, Field(description=f"{', '.join(FORMATS)}; as `path` ends, or mp3.")] = None,
        path: Annotated[str | None, Field(description="A file to write the sound to, such as ~/hello.mp3.")] = None,
        aloud: Annotated[bool, Field(description="Play it on the user's machine instead.")] = False,
    ) -> CallToolResult:
        """Speak a text: into a file, aloud on the user's machine, or else as audio in the answer."""
        options = SayOptions(text, voice, speed)
        try:
            if aloud:
                self._find_player()(self._get_client().stream_audio(options, "pcm"))
                return _make_text_result("Played.")
            if path is not None:
                return _make_text_result(self._save_file(options, format, Path(path).expanduser()))
            return self._make_audio_result(options, _check_format(format or DEFAULT_INLINE_FORMAT))
        except SpeechError as exc:
            raise ToolError(str(exc)) from exc

    def list_voices(self) -> VoiceInfos:
        """List the voices, with their languages."""
        try:
            names = self._get_client().get_voice_names()
        except SpeechError as exc:
            raise ToolError(str(exc)) from exc
        return {"voices": [_describe_voice(name) for name in names]}

    def close(self) -> None:
        """Close the client if it was opened."""
        if self._client is not None:
            self._client.close()

    def _get_client(self) -> SpeechClient:
        with self._lock:  # concurrent first calls must not open two clients
            if self._client is None:
                self._client = self._open_client()
            return self._client

    def _save_file(self, options: SayOptions, format: str | None, path: Path) -> str:
        named = detect_format(path)
        # An ending that is no audio format could name a file of another kind, which must not be overwritten.
        if named is None or (format and _check_format(format) != named):
            raise ToolError(f"{path.name} is no name for a {format or 'sound'} file: end it with .{format or 'mp3'}.")
        try:
            size = save_audio(path.absolute(), named, self._get_client().stream_audio(options, named))
        except OSError as exc:
            raise ToolError(f"{path} can't be written: {exc.strerror}.") from exc
        return f"Saved {path.absolute()} ({size} bytes)."

    def _make_audio_result(self, options: SayOptions, format: str) -> CallToolResult:
        sound = b"".join(self._get_client().stream_audio(options, format))
        data = base64.b64encode(sound).decode("ascii")
        return CallToolResult(content=[AudioContent(data=data, mime_type=FORMATS[format].content_type)])


@dataclass(frozen=True)
class _ClientFactory:
    """Hold the options that choose the client, until a tool needs it."""

    server: str | None
    local: bool

    def open_client(self) -> SpeechClient:
        return open_client(load_settings(self.server), self.local)


@click.command("mcp")
@add_server_options
def run_mcp(server: str | None, local: bool) -> None:
    """Serve the tools `speak` and `list_voices` on stdin and stdout, for an assistant that starts this command.

    \b
    In its configuration:
      {"mcpServers": {"kokoro": {"command": "kokoro-tts-api", "args": ["mcp"]}}}
    """
    load_settings(server)  # report a wrong setting now, not on the first call of a tool
    with closing(SpeechTools(_ClientFactory(server, local).open_client)) as tools:
        make_mcp_server(tools).run("stdio")


def make_mcp_server(tools: SpeechTools) -> MCPServer[Any]:
    """Create an MCP server with these tools; `run("stdio")` serves it."""
    server: MCPServer[Any] = MCPServer(
        "kokoro-tts", "Kokoro TTS", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    server.add_tool(tools.speak)
    server.add_tool(tools.list_voices)
    return server


def _make_text_result(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)])


def _check_format(format: str) -> str:
    if format.lower() not in FORMATS:
        raise ToolError(f"Unsupported format {format[:40]!r}: expected {', '.join(FORMATS)}.")
    return format.lower()


def _describe_voice(name: str) -> VoiceInfo:
    language, gender = get_voice_language(name), get_voice_gender(name)
    return {"name": name, "language": language.title_name, "gender": gender.title_name}
