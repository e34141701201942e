"""The real worker process around a speaker without a network, which prints and starts programs while it speaks.

`slow` in a text takes a second a chunk until it is cancelled, `fails` breaks. Run as `python -m tests.fakes.desk`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np

from kokoro_server.audio.samples import Chunk, Word
from kokoro_server.core.errors import Cancelled
from kokoro_server.core.signals import ignore_stop_signals
from kokoro_server.synthesis.frames import write_frame
from kokoro_server.synthesis.worker import WorkerLoop, redirect_stdout
from kokoro_server.text.chunking import Utterance


class TalkativeSynthesizer:
    """Says what it does on stdout, by every way there is."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def synthesize(
        self,
        utterance: Utterance,
        threads: int,
        stop: threading.Event | None = None,
        on_work_done: Callable[[], None] = lambda: None,
    ) -> Iterator[Chunk]:
        print("speaking", flush=True)
        os.system("echo a program")
        os.write(1, b"a library\n")
        for number in range(3):
            if stop is not None and stop.is_set():
                raise Cancelled
            if "slow" in utterance.text and self._cancelled.wait(1.0):
                raise Cancelled
            if "fails" in utterance.text:
                raise ValueError("a secret of /home/somebody")
            if number == 2:
                on_work_done()
            yield Chunk(np.full(100, 0.5, np.float32), (Word("w", number, number + 1, 0.0, 0.1),))

    def cancel(self) -> None:
        self._cancelled.set()


if __name__ == "__main__":
    ignore_stop_signals()
    frames = redirect_stdout()
    write_frame(frames, {"kind": "ready", "message": "talkative"})
    WorkerLoop(TalkativeSynthesizer(), frames).serve(sys.stdin.buffer)  # type: ignore[arg-type]
