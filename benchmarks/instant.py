"""Serve on an engine that takes no time, to measure what a request costs besides synthesis."""

import logging
from collections.abc import Iterator

import numpy as np

from config import Config
from kokoro_tts_api import body_limit, create_app
from tts.api.serving import Address, Server
from tts.engines.pool import Pool
from tts.speech.audio import SAMPLE_RATE, Chunk
from tts.speech.errors import Unsupported
from tts.speech.request import Pronunciation
from tts.speech.text import Sizes, Utterance

SECONDS_A_WORD = 0.33  # Kokoro's pace


class Instant:
    """Worker that returns a hum at once, as long as speech of the words would be."""

    ready = True
    asleep = False
    restarts = 0

    def start(self) -> None:
        """Do nothing: there is no model to load."""

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        """Yield the hum as one chunk of float32 samples at SAMPLE_RATE."""
        length = round(len(utterance.text.split()) * SECONDS_A_WORD * SAMPLE_RATE)
        yield Chunk((0.3 * np.sin(np.arange(length) * 0.05)).astype(np.float32))

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        """Raise Unsupported."""
        raise Unsupported("A hum has no phonemes.")

    def rest(self) -> None:
        """Do nothing: there is nothing to unload."""

    def cancel(self) -> None:
        """Do nothing: synthesis takes no time."""

    def close(self) -> None:
        """Do nothing: there is no process to end."""


def main() -> None:
    """Serve on a free local port until a stop signal arrives."""
    logging.basicConfig(level="INFO")
    config = Config(HOST="127.0.0.1", PORT=0)
    engine = Pool("instant", [Instant()], threads=1, queue=config.QUEUE, sizes=Sizes())
    engine.start()
    try:
        address = Address(config.HOST, config.PORT, config.CONNECTIONS, body_limit(config))
        Server(create_app(config, engine), address).run()
    finally:
        engine.close()


if __name__ == "__main__":
    main()
