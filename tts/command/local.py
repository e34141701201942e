"""Synthesize with an engine that is started for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from config import Config
from tts.api.bodies import check_format, speech_request
from tts.command.speech import Wish
from tts.engines.base import Engine, Listener
from tts.setup import StartFailed
from tts.setup.bounds import limits
from tts.setup.engines import make_engine
from tts.speech.encoding import encode
from tts.speech.errors import WorkerUnavailable

LONGEST = 10_000_000
"""Characters of a text: a local user needs no protection from long requests."""


class Local:
    """Synthesize with an engine of one worker that has all cores; a SpeechClient without a server."""

    def __init__(self, config: Config, engine: Engine | None = None) -> None:
        """Start the engine, by default the one that the settings name. Raises WorkerUnavailable."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="kokoro-", ignore_cleanup_errors=True)))
            config = replace(config, MAX_TEXT_LENGTH=LONGEST, WORKERS=1, TEMP_DIR=folder)
            try:
                self._limits = limits(config)
                self._engine = engine or make_engine(config)
            except StartFailed as exc:
                raise WorkerUnavailable(str(exc)) from exc
            stack.callback(self._engine.close)
            self._engine.start()
            self._stack = stack.pop_all()

    def sound(self, wish: Wish, format: str) -> Iterator[bytes]:
        """Yield the encoded audio as it is synthesized. Raises SpeechError."""
        request = speech_request(self._limits, wish.text, wish.voice, wish.language, wish.speed)
        name = check_format(format, "format")
        with closing(self._engine.synthesize(request, Listener())) as chunks:
            yield from encode(chunks, name)

    def voices(self) -> list[str]:
        """Return the names of the allowed voices, the default one first."""
        default = self._limits.default_voice
        return sorted(self._limits.voices, key=lambda name: (name != default, name))

    def close(self) -> None:
        """Stop the engine and remove its temp folder."""
        self._stack.close()
