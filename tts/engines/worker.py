"""Run a worker process: load the network once, then synthesize the utterances that arrive on stdin.

Run as `python -m tts.engines.worker --model MODEL --voices FOLDER --cache FOLDER`. Frames go in by stdin and out by
stdout; see tts.engines.protocol. It exits when stdin closes, so that no worker outlives its owner, and with code 3 when
it cannot load.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from tts.engines import logs, memory
from tts.engines.protocol import read_frame, write_frame
from tts.speech.audio import Chunk
from tts.speech.request import Run
from tts.speech.text import Utterance
from tts.speech.voices import find_voice
from tts.synth.assets import Assets
from tts.synth.phonemes import tokens
from tts.synth.speaker import Cancelled, Speaker

log = logging.getLogger("tts.worker")

CANNOT_LOAD = 3
"""Exit code of a worker that cannot load its model: starting another would fail, too."""


def main(arguments: list[str] | None = None) -> None:
    """Load the network, synthesize one word to warm it up, and serve calls until stdin closes."""
    options = _parser().parse_args(arguments)
    ignore_signals()
    memory.keep_little()  # for the time of loading, and of preparing the network when it is not cached
    logs.begin(options.log_level, options.log_format, f"worker {os.getpid()}")
    frames = take_stdout()
    try:
        synthesizer = Speaker(Assets(options.model, options.voices), options.cache, options.device, options.threads)
        # Loading is over; from now on fresh mappings for each utterance would cost more than the memory they save.
        memory.keep_little(memory.LARGE_FOR_THE_NETWORK)
        seconds = sum(chunk.seconds for chunk in synthesizer.speak(_first_word(), options.threads))
    except Exception as exc:  # edge of the process: report any error to the owner
        log.exception("Cannot load the network")
        write_frame(frames, {"kind": "failed", "message": f"{type(exc).__name__}: {exc}"})
        sys.exit(CANNOT_LOAD)
    write_frame(frames, {"kind": "ready", "message": f"{synthesizer.description}, {seconds:.1f} s spoken to warm up"})
    Desk(synthesizer, frames).serve(sys.stdin.buffer)


class Desk:
    """Read calls on one thread and synthesize on another, so that a cancel is read during synthesis.

    Each call has a stop event of its own, which a "cancel" frame sets for the latest call that was read. A call that is
    still queued is thereby cancelled before it starts.
    """

    def __init__(self, speaker: Speaker, frames: IO[bytes]) -> None:
        self._speaker = speaker
        self._frames = frames
        self._orders: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]] = queue.SimpleQueue()

    def serve(self, orders: IO[bytes]) -> None:
        """Serve the calls from that pipe; never returns: the process exits when the pipe closes."""
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()
        while True:
            order, stop = self._orders.get()
            self._obey(order, Utterance.from_json(order["utterance"]), stop)

    def _listen(self, orders: IO[bytes]) -> None:
        """Queue the calls from the pipe; on "cancel", stop the latest one. Exit the process at its end."""
        stop = threading.Event()
        try:
            while frame := read_frame(orders):
                header, _ = frame
                if header["kind"] == "cancel":
                    stop.set()
                    # Also end the network's run that is in progress: it does not look at the event.
                    self._speaker.cancel()
                else:
                    stop = threading.Event()
                    self._orders.put((header, stop))
        finally:
            os._exit(0)  # the owner has ended, maybe inside a frame: nobody reads the results

    def _obey(self, order: dict[str, Any], utterance: Utterance, stop: threading.Event) -> None:
        """Run one call and write the frames that answer it."""
        answer: dict[str, Any] = {"kind": "done"}
        request = logs.about(request_id=utterance.request_id)
        began = time.monotonic()
        try:
            if order["kind"] == "phonemize":
                phonemes = self._speaker.phonemes(utterance)
                found = {"kind": "phonemes", "phonemes": phonemes, "tokens": [0, *tokens(phonemes), 0]}
                write_frame(self._frames, found)
            else:
                for chunk in self._speaker.speak(utterance, order["threads"], stop, self._tell_ending):
                    self._send(chunk)
        # A cancelled call is answered with "done", too: the owner waits for the end of each call.
        except Cancelled:
            pass
        except Exception as exc:  # edge of one call: report it to the owner; the next call may succeed
            log.exception("An utterance of %d characters failed", len(utterance.text), extra=request)
            answer = {"kind": "error", "message": f"The speech engine failed: {type(exc).__name__}."}
        seconds = time.monotonic() - began
        log.debug("%s: %d characters in %.3f s", utterance.request_id, len(utterance.text), seconds, extra=request)
        write_frame(self._frames, answer)

    def _tell_ending(self) -> None:
        """Tell the owner that it may send the next call while the last audio is trimmed and written."""
        write_frame(self._frames, {"kind": "ending"})

    def _send(self, chunk: Chunk) -> None:
        """Write one chunk: its words in the header, its samples as little-endian float32."""
        words = [dataclasses.astuple(word) for word in chunk.words]
        write_frame(self._frames, {"kind": "chunk", "words": words}, chunk.samples.astype("<f4").tobytes())


def _first_word() -> Utterance:
    """Return the utterance for the warm-up."""
    return Utterance((Run("Ready.", 0, 6),), find_voice("af_heart"), "a")


def ignore_signals() -> None:
    """Ignore SIGINT and SIGTERM: a terminal or a service may send them to all processes; the owner handles them."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)


def take_stdout() -> IO[bytes]:
    """Return stdout for frames alone; redirect whatever libraries print to stderr."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return frames


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="tts.engines.worker", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--log-format", choices=logs.FORMATS, default="text")
    return parser


if __name__ == "__main__":
    main()
