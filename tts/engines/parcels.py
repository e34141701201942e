"""What travels between a front server and the worker machines of a cluster: utterances, sound, failures, editions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from tts.speech.audio import Chunk, Word
from tts.speech.encoding import decode_flac, encode_whole
from tts.speech.errors import SpeechError, SynthesisFailed, TimedOut, Unsupported, WorkerUnavailable
from tts.speech.request import Pronunciation
from tts.speech.text import Utterance

Answer = dict[str, Any]
"""What a machine makes of an utterance: strings, numbers, lists and bytes."""

RABBIT = ("amqp", "amqps", "pyamqp")
"""Schemes of RabbitMQ's addresses."""

FAILURES: dict[str, type[SpeechError]] = {
    each.code: each for each in (SynthesisFailed, TimedOut, Unsupported, WorkerUnavailable)
}
"""What may go wrong on a worker machine, by its name on the wire."""


@dataclasses.dataclass(frozen=True)
class Edition:
    """What must be the same on all machines, or one answer would sound like two: our version and the model's sha256."""

    version: str
    model: str

    @property
    def name(self) -> str:
        """A short name of it that no other edition has."""
        return hashlib.sha256(f"{self.version} {self.model}".encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"version {self.version}, model {self.model[:12]}"


@dataclasses.dataclass(frozen=True)
class Link:
    """Where the machines of a cluster meet, and what they must have in common.

    `broker` is a Redis or a RabbitMQ, `results` a Redis where answers wait for up to `expires` seconds; one utterance
    may take `timeout` seconds.
    """

    broker: str
    results: str
    expires: float
    timeout: float
    edition: Edition

    @property
    def by_rabbit(self) -> bool:
        return urlsplit(self.broker).scheme in RABBIT

    @property
    def queue(self) -> str:
        """Each edition has its own queue: a machine of another one is never handed our utterances."""
        return f"kokoro-{self.edition.name}"

    def __str__(self) -> str:
        """The broker without its password."""
        parts = urlsplit(self.broker)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def packed_utterance(utterance: Utterance) -> dict[str, Any]:
    """The utterance as JSON values, for Utterance.from_json; its gain is for whoever hears it."""
    return dataclasses.asdict(dataclasses.replace(utterance, gain=1.0))


def packed_sound(chunk: Chunk) -> Answer:
    """The chunk's samples as FLAC (16 bits, as in every format that leaves us but float ones) and its words as JSON."""
    words = [dataclasses.astuple(word) for word in chunk.words]
    return {"sound": encode_whole([chunk], "flac"), "words": json.dumps(words)}


def sound_in(answer: Answer) -> Chunk:
    """The chunk that was packed. Raises SynthesisFailed for what is no sound, and the failure that came instead."""
    raise_failure(answer)
    try:
        return Chunk(decode_flac(answer["sound"]), tuple(Word(*fields) for fields in json.loads(answer["words"])))
    except (KeyError, TypeError, ValueError) as exc:
        raise SynthesisFailed("A worker machine sent something that is not sound.") from exc


def packed_reading(found: Pronunciation) -> Answer:
    return dataclasses.asdict(found)


def reading_in(answer: Answer) -> Pronunciation:
    """The pronunciation that was packed. Raises as sound_in() does."""
    raise_failure(answer)
    try:
        return Pronunciation(str(answer["phonemes"]), tuple(answer["tokens"]))
    except (KeyError, TypeError) as exc:
        raise SynthesisFailed("A worker machine sent something that is no pronunciation.") from exc


def packed_failure(error: SpeechError) -> Answer:
    return {"failure": error.code, "message": error.message}


def raise_failure(answer: Answer) -> None:
    """Raise the failure that came as an answer, if one did."""
    if "failure" in answer:
        raise FAILURES.get(str(answer["failure"]), SynthesisFailed)(str(answer.get("message")))
