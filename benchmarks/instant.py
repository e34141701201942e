"""The server on an engine that takes no time: what a request costs beyond its engine."""

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

SECONDS_A_WORD = 0.33  # what Kokoro takes


class Instant:
    """A worker that has its sound ready: a hum, as long as the words would take."""

    ready = True
    asleep = False
    restarts = 0

    def start(self) -> None:
        """Nothing to load."""

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        length = round(len(utterance.text.split()) * SECONDS_A_WORD * SAMPLE_RATE)
        yield Chunk((0.3 * np.sin(np.arange(length) * 0.05)).astype(np.float32))

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        raise Unsupported("A hum has no phonemes.")

    def rest(self) -> None:
        """It does nothing else."""

    def cancel(self) -> None:
        """It is never under way for long."""

    def close(self) -> None:
        """Nothing to end."""


def main() -> None:
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
