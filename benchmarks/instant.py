"""Serve on an engine that takes no time, to measure what a request costs besides synthesis."""

import logging
from collections.abc import Iterator

import numpy as np

from kokoro_server.api.server.serving import HttpServer, ServerOptions
from kokoro_server.app import create_app
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.config import Config
from kokoro_server.core.errors import Unsupported
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.pool import Pool
from kokoro_server.setup.limits import get_max_body_bytes
from kokoro_server.text.chunking import Utterance, UtteranceSizes

SECONDS_PER_WORD = 0.33  # Kokoro's pace


class InstantWorker:
    """Worker that returns a hum at once, as long as speech of the words would be."""

    is_ready = True
    is_unloaded = False
    restarts = 0

    def start(self) -> None:
        """Do nothing: there is no model to load."""

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        """Yield the hum as one chunk of float32 samples at SAMPLE_RATE."""
        length = round(len(utterance.text.split()) * SECONDS_PER_WORD * SAMPLE_RATE)
        yield Chunk((0.3 * np.sin(np.arange(length) * 0.05)).astype(np.float32))

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Raise Unsupported."""
        raise Unsupported("A hum has no phonemes.")

    def on_idle(self) -> None:
        """Do nothing: there is nothing to unload."""

    def cancel(self) -> None:
        """Do nothing: synthesis takes no time."""

    def close(self) -> None:
        """Do nothing: there is no process to end."""


def main() -> None:
    """Serve on a free local port until a stop signal arrives."""
    logging.basicConfig(level="INFO")
    config = Config(HOST="127.0.0.1", PORT=0)
    engine = Pool("instant", [InstantWorker()], threads=1, max_waiting=config.QUEUE, sizes=UtteranceSizes())
    engine.start()
    try:
        address = ServerOptions(config.HOST, config.PORT, config.CONNECTIONS, get_max_body_bytes(config))
        HttpServer(create_app(config, engine), address).run()
    finally:
        engine.close()


if __name__ == "__main__":
    main()
