"""Synthesize with an engine that is started for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from kokoro_server.api.schemas import SpeechFields, check_format, make_speech_request
from kokoro_server.audio.encoding import encode_stream
from kokoro_server.cli.client import SayOptions
from kokoro_server.config import Config
from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.engine.base import Engine, RequestContext
from kokoro_server.setup import StartupError
from kokoro_server.setup.engines import make_engine
from kokoro_server.setup.limits import make_request_limits

MAX_LOCAL_CHARACTERS = 10_000_000
"""Characters of a text: a local user needs no protection from long requests."""


class LocalClient:
    """Synthesize with an engine of one worker that has all cores; a SpeechClient without a server."""

    def __init__(self, config: Config, engine: Engine | None = None) -> None:
        """Start the engine, by default the one that the settings name. Raises WorkerUnavailable."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="kokoro-", ignore_cleanup_errors=True)))
            config = config.replace(MAX_TEXT_LENGTH=MAX_LOCAL_CHARACTERS, WORKERS=1, TEMP_DIR=folder)
            try:
                self._limits = make_request_limits(config)
                self._engine = engine or make_engine(config)
            except StartupError as exc:
                raise WorkerUnavailable(str(exc)) from exc
            stack.callback(self._engine.close)
            self._engine.start()
            self._stack = stack.pop_all()

    def stream_audio(self, options: SayOptions, format: str) -> Iterator[bytes]:
        """Yield the encoded audio as it is synthesized. Raises SpeechError."""
        request = make_speech_request(
            self._limits, SpeechFields(options.text, options.voice, options.language, options.speed)
        )
        name = check_format(format, "format")
        with closing(self._engine.synthesize(request, RequestContext())) as chunks:
            yield from encode_stream(chunks, name)

    def get_voice_names(self) -> list[str]:
        """Return the names of the allowed voices, the default one first."""
        default = self._limits.default_voice
        return sorted(self._limits.voices, key=lambda name: (name != default, name))

    def close(self) -> None:
        """Stop the engine and remove its temp folder."""
        self._stack.close()
