"""Pack and unpack the messages between a front server and the worker machines of a cluster.

An utterance travels as JSON. A result is a dict of one of these kinds: "sound" (FLAC bytes) and "words" (JSON);
"phonemes" and "tokens"; "failure" (code of a SpeechError) and "message".
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from kokoro_server.audio.encoding import decode_flac, encode_file
from kokoro_server.audio.samples import Chunk, Word
from kokoro_server.core.errors import SpeechError, SynthesisFailed, TimedOut, Unsupported, WorkerUnavailable
from kokoro_server.core.request import Phonemization
from kokoro_server.text.chunking import Utterance

TaskResult = dict[str, Any]
"""Result of a task, as it travels: strings, numbers, lists and bytes."""

RABBITMQ_SCHEMES = ("amqp", "amqps", "pyamqp")
"""URL schemes of RabbitMQ."""

ERRORS_BY_CODE: dict[str, type[SpeechError]] = {
    each.code: each for each in (SynthesisFailed, TimedOut, Unsupported, WorkerUnavailable)
}
"""Errors that a worker machine may report, by the code that travels."""


@dataclasses.dataclass(frozen=True)
class BuildId:
    """Identify what must be equal on all machines of a cluster, or their audio would differ.

    That is our `version` and the sha256 of the `model`.
    """

    version: str
    model: str

    @property
    def digest(self) -> str:
        """Return 12 hexadecimal digits that identify the build."""
        return hashlib.sha256(f"{self.version} {self.model}".encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"version {self.version}, model {self.model[:12]}"


@dataclasses.dataclass(frozen=True)
class ClusterSettings:
    """Hold the settings of the connection to a cluster.

    Args:
        broker: URL of a Redis or a RabbitMQ, which carries the tasks.
        results: URL of a Redis, which carries the results.
        expires: Seconds that an unread result is kept.
        timeout: Seconds for one utterance.
        build_id: Build that all machines must have.
    """

    broker: str
    results: str
    expires: float
    timeout: float
    build_id: BuildId

    @property
    def uses_rabbitmq(self) -> bool:
        """Return whether the broker is a RabbitMQ."""
        return urlsplit(self.broker).scheme in RABBITMQ_SCHEMES

    @property
    def queue_name(self) -> str:
        """Return the name of the queue, different for each build: a machine of another build never gets our tasks."""
        return f"kokoro-{self.build_id.digest}"

    def __str__(self) -> str:
        """Return the URL of the broker without its password."""
        # user:password@host: everything up to the @ is dropped.
        parts = urlsplit(self.broker)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def pack_utterance(utterance: Utterance) -> dict[str, Any]:
    """Return the utterance as JSON values, for Utterance.from_json(). The front server applies its gain."""
    return dataclasses.asdict(dataclasses.replace(utterance, gain=1.0))


def pack_sound(chunk: Chunk) -> TaskResult:
    """Return the samples as FLAC and the words as JSON. FLAC has 16 bits, as all formats but float ones."""
    # Words travel by position, as (text, start, end, start_time, end_time).
    words = [dataclasses.astuple(word) for word in chunk.words]
    return {"sound": encode_file([chunk], "flac"), "words": json.dumps(words)}


def unpack_sound(result: TaskResult) -> Chunk:
    """Return the chunk in a result. Raises SynthesisFailed when there is none, and the machine's error."""
    raise_failure(result)
    try:
        return Chunk(decode_flac(result["sound"]), tuple(Word(*fields) for fields in json.loads(result["words"])))
    except (KeyError, TypeError, ValueError) as exc:
        raise SynthesisFailed("A worker machine sent something that is not sound.") from exc


def pack_phonemes(found: Phonemization) -> TaskResult:
    """Return the phonemes as a result."""
    return dataclasses.asdict(found)


def unpack_phonemes(result: TaskResult) -> Phonemization:
    """Return the phonemes in a result. Raises as unpack_sound() does."""
    raise_failure(result)
    try:
        return Phonemization(str(result["phonemes"]), tuple(result["tokens"]))
    except (KeyError, TypeError) as exc:
        raise SynthesisFailed("A worker machine sent something that is no pronunciation.") from exc


def pack_failure(error: SpeechError) -> TaskResult:
    """Return the error as a result."""
    return {"failure": error.code, "message": error.message}


def raise_failure(result: TaskResult) -> None:
    """Raise the error in the result, if there is one."""
    if "failure" in result:
        raise ERRORS_BY_CODE.get(str(result["failure"]), SynthesisFailed)(str(result.get("message")))
