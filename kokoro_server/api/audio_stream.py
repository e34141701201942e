"""Synthesize a job and iterate over its audio, and record how the response ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
from flask import g

from kokoro_server.api.metrics import SpeechRecord
from kokoro_server.api.schemas import SpeechJob
from kokoro_server.api.state import get_engine, get_metrics, make_request_context
from kokoro_server.api.tracing import get_span
from kokoro_server.audio.loudness import normalize_loudness
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.core.errors import ClientGone, SpeechError
from kokoro_server.core.logs import log_fields

log = logging.getLogger(__name__)


class AudioStream:
    """Iterate over the audio chunks of a job, the first of which is synthesized in the constructor.

    An error before the first chunk is raised by the constructor, while the response can still have its status. A later
    SpeechError is logged and raised by the iteration. The outcome ("whole", "cut" or "left") starts as "left", which
    is right if the client stops reading. The caller must call `close`, which records the response in metrics, log and
    trace. Iterate once, from one thread; needs the request's context only for construction.
    """

    def __init__(self, job: SpeechJob) -> None:
        """Start the synthesis and wait for its first chunk. Raises SpeechError."""
        self._job = job
        self._chunks = get_engine().synthesize(job.request, make_request_context())
        self._first_chunk = next(self._chunks, Chunk(np.zeros(0, np.float32)))  # empty: a text without any sound
        self._request_id, self._started_at, self._span, self._metrics = g.request_id, g.began, get_span(), get_metrics()
        self._characters = len(job.request.text)
        self._first_audio_seconds = self._synthesis_seconds = time.monotonic() - self._started_at
        self._outcome = "left"
        self.samples = 0
        """Samples yielded so far, at SAMPLE_RATE."""

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks at the job's loudness and volume. Raises SpeechError."""
        chunks: Iterator[Chunk] = chain([self._first_chunk], self._iter_timed_chunks())
        if self._job.loudness is not None:
            chunks = normalize_loudness(chunks, self._job.loudness)
        volume = self._job.volume
        try:
            for chunk in chunks:
                self.samples += len(chunk.samples)
                yield chunk if volume == 1.0 else replace(chunk, samples=chunk.samples * volume)
            self._outcome = "whole"
        except SpeechError as exc:
            self._outcome = "left" if isinstance(exc, ClientGone) else "cut"
            log.warning("%s cut short: %s", self._request_id, exc, extra=log_fields(request_id=self._request_id))
            raise

    def _iter_timed_chunks(self) -> Iterator[Chunk]:
        """Yield the chunks after the first, adding up the time spent waiting for each.

        The time until the client wants the next chunk does not count as synthesis.
        """
        while True:
            requested_at = time.monotonic()
            chunk = next(self._chunks, None)
            self._synthesis_seconds += time.monotonic() - requested_at
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Cancel the rest of the synthesis and record the outcome. May be called more than once."""
        self._chunks.close()
        if self._outcome:
            self._record_outcome(time.monotonic() - self._started_at)
            self._outcome = ""  # recorded: the server and a test client may both close a response

    def _record_outcome(self, total: float) -> None:
        """Record the response in the metrics, the log and the trace; `total` is in seconds."""
        audio = self.samples / SAMPLE_RATE
        times = (self._first_audio_seconds, self._synthesis_seconds, total)
        self._metrics.record_speech(SpeechRecord(self._request_id, self._outcome, self._characters, audio, *times))
        if self._span is not None:
            attributes = {
                "kokoro.first_audio_ms": round(1000 * self._first_audio_seconds),
                "kokoro.audio_seconds": audio,
            }
            self._span.set_attributes({**attributes, "kokoro.outcome": self._outcome})
