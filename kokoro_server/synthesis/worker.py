"""Run a worker process: load the network once, then synthesize the utterances that arrive on stdin.

Run as `python -m kokoro_server.synthesis.worker --model MODEL --voices FOLDER --cache FOLDER`. Frames go in by stdin
and out by stdout; see kokoro_server.synthesis.frames. It exits when stdin closes, so that no worker outlives its
owner, and with code 3 when it cannot load.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from kokoro_server.audio.samples import Chunk
from kokoro_server.core import logs
from kokoro_server.core import malloc as memory
from kokoro_server.core.errors import Cancelled
from kokoro_server.core.languages import Language
from kokoro_server.core.request import TextSpan
from kokoro_server.core.signals import ignore_stop_signals
from kokoro_server.core.voices import find_voice
from kokoro_server.model.assets import Assets
from kokoro_server.synthesis.frames import read_frame, write_frame
from kokoro_server.synthesis.synthesizer import UtteranceSynthesizer
from kokoro_server.text.chunking import Utterance
from kokoro_server.text.g2p import encode_phonemes

log = logging.getLogger("kokoro_server.worker")

LOAD_FAILED_EXIT_CODE = 3
"""Exit code of a worker that cannot load its model: starting another would fail, too."""


def main(arguments: list[str] | None = None) -> None:
    """Load the network, synthesize one word to warm it up, and serve calls until stdin closes."""
    options = _build_parser().parse_args(arguments)
    ignore_stop_signals()  # a terminal or a service may send them to all processes; the owner handles them
    memory.tune_malloc()  # for the time of loading, and of preparing the network when it is not cached
    logs.configure_logging(options.log_level, options.log_format, f"worker {os.getpid()}")
    frames = redirect_stdout()
    try:
        synthesizer = UtteranceSynthesizer(
            Assets(options.model, options.voices), options.cache, options.device, options.threads
        )
        # Loading is over; from now on fresh mappings for each utterance would cost more than the memory they save.
        memory.tune_malloc(memory.NETWORK_MMAP_THRESHOLD)
        seconds = sum(chunk.seconds for chunk in synthesizer.synthesize(_make_warmup_utterance(), options.threads))
    except Exception as exc:  # edge of the process: report any error to the owner
        log.exception("Cannot load the network")
        write_frame(frames, {"kind": "failed", "message": f"{type(exc).__name__}: {exc}"})
        sys.exit(LOAD_FAILED_EXIT_CODE)
    write_frame(frames, {"kind": "ready", "message": f"{synthesizer.description}, {seconds:.1f} s spoken to warm up"})
    WorkerLoop(synthesizer, frames).serve(sys.stdin.buffer)


class WorkerLoop:
    """Read calls on one thread and synthesize on another, so that a cancel is read during synthesis.

    Each call has a stop event of its own, which a "cancel" frame sets for the latest call that was read. A call that is
    still queued is thereby cancelled before it starts.
    """

    def __init__(self, synthesizer: UtteranceSynthesizer, frames: IO[bytes]) -> None:
        self._synthesizer = synthesizer
        self._frames = frames
        self._calls: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]] = queue.SimpleQueue()

    def serve(self, pipe: IO[bytes]) -> None:
        """Serve the calls from that pipe; never returns: the process exits when the pipe closes."""
        threading.Thread(target=self._read_calls, args=(pipe,), daemon=True).start()
        while True:
            order, stop = self._calls.get()
            self._run_call(order, Utterance.from_json(order["utterance"]), stop)

    def _read_calls(self, pipe: IO[bytes]) -> None:
        """Queue the calls from the pipe; on "cancel", stop the latest one. Exit the process at its end."""
        stop = threading.Event()
        try:
            while frame := read_frame(pipe):
                header, _ = frame
                if header["kind"] == "cancel":
                    stop.set()
                    # Also end the network's run that is in progress: it does not look at the event.
                    self._synthesizer.cancel()
                else:
                    stop = threading.Event()
                    self._calls.put((header, stop))
        finally:
            os._exit(0)  # the owner has ended, maybe inside a frame: nobody reads the results

    def _run_call(self, call: dict[str, Any], utterance: Utterance, stop: threading.Event) -> None:
        """Run one call and write the frames that answer it."""
        answer: dict[str, Any] = {"kind": "done"}
        request = logs.log_fields(request_id=utterance.request_id)
        began = time.monotonic()
        try:
            if call["kind"] == "phonemize":
                phonemes = self._synthesizer.phonemize(utterance)
                found = {"kind": "phonemes", "phonemes": phonemes, "tokens": [0, *encode_phonemes(phonemes), 0]}
                write_frame(self._frames, found)
            else:
                for chunk in self._synthesizer.synthesize(utterance, call["threads"], stop, self._send_work_done):
                    self._send_chunk(chunk)
        # A cancelled call is answered with "done", too: the owner waits for the end of each call.
        except Cancelled:
            pass
        except Exception as exc:  # edge of one call: report it to the owner; the next call may succeed
            log.exception("An utterance of %d characters failed", len(utterance.text), extra=request)
            answer = {"kind": "error", "message": f"The speech engine failed: {type(exc).__name__}."}
        seconds = time.monotonic() - began
        log.debug("%s: %d characters in %.3f s", utterance.request_id, len(utterance.text), seconds, extra=request)
        write_frame(self._frames, answer)

    def _send_work_done(self) -> None:
        """Tell the owner that it may send the next call while the last audio is trimmed and written."""
        write_frame(self._frames, {"kind": "ending"})

    def _send_chunk(self, chunk: Chunk) -> None:
        """Write one chunk: its words in the header, its samples as little-endian float32."""
        words = [dataclasses.astuple(word) for word in chunk.words]
        write_frame(self._frames, {"kind": "chunk", "words": words}, chunk.samples.astype("<f4").tobytes())


def _make_warmup_utterance() -> Utterance:
    """Return the utterance for the warm-up."""
    return Utterance((TextSpan("Ready.", 0, 6),), find_voice("af_heart"), Language.AMERICAN_ENGLISH)


def redirect_stdout() -> IO[bytes]:
    """Return stdout for frames alone; redirect whatever libraries print to stderr."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return frames


def _build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="kokoro_server.synthesis.worker", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--log-format", choices=logs.LOG_FORMATS, default="text")
    return parser


if __name__ == "__main__":
    main()
