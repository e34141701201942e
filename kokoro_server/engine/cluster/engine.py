"""Admit and plan the requests of a front server whose workers are on other machines.

A ClusterEngine is a Pool of RemoteWorkers, one for each utterance that may be in flight. Each sends an utterance by the
transport and waits for its result, so that the scheduler works as with local workers. After each heartbeat the
scheduler is resized to the workers that the machines have; admission and the bounds on what is in flight follow.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from kokoro_server.audio.samples import Chunk
from kokoro_server.core.languages import Language
from kokoro_server.core.request import Phonemization, SpeechRequest
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.cluster.messages import ClusterSettings
from kokoro_server.engine.cluster.remote import ClusterTimeouts, RemoteWorker
from kokoro_server.engine.cluster.transport import CeleryTransport
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.prefetch import PrefetchPolicy
from kokoro_server.text.chunking import UtteranceSizes

WORKERS_PER_SPARE_UTTERANCE = 4
"""Workers for which one more utterance is in flight, so that no worker is idle for the round trip of a result."""
DEFAULT_TIMEOUTS = ClusterTimeouts()
"""Waits of a front server; tests use shorter ones."""


class ClusterEngine(Pool):
    """Synthesize requests on the workers of other machines, however many there are. Thread-safe.

    Args:
        settings: The connection.
        max_waiting: Requests that may wait; further ones get Busy.
        max_in_flight: Utterances that may be in flight at once.
        max_per_request: Utterances of one request that may be in flight at once.
        timeouts: How long to wait for machines.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        max_waiting: int,
        max_in_flight: int,
        max_per_request: int,
        timeouts: ClusterTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._transport = CeleryTransport(settings, self._resize, timeouts)
        self._max_in_flight = max_in_flight
        self._max_per_request = max_per_request
        super().__init__(
            "cluster",
            [RemoteWorker(self._transport, settings.timeout) for _ in range(max_in_flight)],
            0,  # no cores to share here: each worker has those of its machine
            max_waiting,
            UtteranceSizes(),
        )

    def start(self) -> None:
        """Look for machines; these may also join later, and so may the broker. Does not raise without them."""
        self._transport.start()
        super().start()

    def choose_in_flight_limit(self, policy: PrefetchPolicy) -> int:
        """Return how many utterances of a request may be in flight: one more than there are workers, bounded."""
        return min(self._scheduler.worker_count + 1, self._max_per_request)

    def _resize(self, workers: int) -> None:
        """Let the scheduler have an utterance in flight for each of the machines' workers, and some to spare."""
        spare = -(-workers // WORKERS_PER_SPARE_UTTERANCE)  # rounded up: even one worker has an utterance queued
        # At least 1, which a scheduler needs; without any machine, ensure_available() refuses requests.
        self._scheduler.resize(min(max(1, workers + spare), self._max_in_flight))

    def synthesize(self, request: SpeechRequest, context: RequestContext) -> Generator[Chunk, None, None]:
        """Yield the audio of the request. Raises WorkerUnavailable at once without a broker or a machine."""
        self._transport.ensure_available()
        yield from super().synthesize(request, context)

    def phonemize(self, text: str, language: Language, context: RequestContext, emoji: bool = True) -> Phonemization:
        """Return the phonemes of `text`. Raises WorkerUnavailable at once without a broker or a machine."""
        self._transport.ensure_available()
        return super().phonemize(text, language, context, emoji)

    def get_status(self) -> dict[str, Any]:
        """Return the state for GET /health, as JSON values. See Engine."""
        status = super().get_status() | self._transport.get_cluster_status()
        status["totals"] |= self._transport.get_totals()
        return status

    def close(self) -> None:
        """Stop the workers, then the transport; requests in progress get WorkerUnavailable."""
        super().close()
        self._transport.close()
