"""The worker process: loads the network once, then speaks the utterances that come in on stdin, frames out on stdout.

Run as `python -m tts.engines.worker --model MODEL --voices FOLDER`. It ends when its stdin does, so that no worker
outlives its owner, and with exit code 3 when it cannot load.
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
"""Exit code of a worker whose model can't be loaded: starting another would not help."""


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    ignore_signals()
    memory.keep_little()  # while it loads, and maybe prepares the network
    logs.begin(options.log_level, options.log_format, f"worker {os.getpid()}")
    frames = take_stdout()
    try:
        speaker = Speaker(Assets(options.model, options.voices), options.cache, options.device, options.threads)
        memory.keep_little(memory.LARGE_FOR_THE_NETWORK)
        seconds = sum(chunk.seconds for chunk in speaker.speak(_first_word(), options.threads))
    except Exception as exc:  # the process's edge: tell the owner why, whatever it was
        log.exception("Cannot load the network")
        write_frame(frames, {"kind": "failed", "message": f"{type(exc).__name__}: {exc}"})
        sys.exit(CANNOT_LOAD)
    write_frame(frames, {"kind": "ready", "message": f"{speaker.description}, {seconds:.1f} s spoken to warm up"})
    Desk(speaker, frames).serve(sys.stdin.buffer)


class Desk:
    """Takes frames from the owner on one thread and speaks on another, so that a cancel is heard while it speaks."""

    def __init__(self, speaker: Speaker, frames: IO[bytes]) -> None:
        self._speaker = speaker
        self._frames = frames
        self._orders: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]] = queue.SimpleQueue()

    def serve(self, orders: IO[bytes]) -> None:
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()
        while True:
            order, stop = self._orders.get()
            self._obey(order, Utterance.from_json(order["utterance"]), stop)

    def _listen(self, orders: IO[bytes]) -> None:
        stop = threading.Event()
        try:
            while frame := read_frame(orders):
                header, _ = frame
                if header["kind"] == "cancel":
                    stop.set()
                    self._speaker.cancel()
                else:
                    stop = threading.Event()
                    self._orders.put((header, stop))
        finally:
            os._exit(0)  # the owner has gone, maybe inside a frame; whatever is being spoken is for nobody

    def _obey(self, order: dict[str, Any], utterance: Utterance, stop: threading.Event) -> None:
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
        except Cancelled:
            pass
        except Exception as exc:  # one utterance's edge: the owner hears of it, the next one may be fine
            log.exception("An utterance of %d characters failed", len(utterance.text), extra=request)
            answer = {"kind": "error", "message": f"The speech engine failed: {type(exc).__name__}."}
        seconds = time.monotonic() - began
        log.debug("%s: %d characters in %.3f s", utterance.request_id, len(utterance.text), seconds, extra=request)
        write_frame(self._frames, answer)

    def _tell_ending(self) -> None:
        """The next order may come: it is read while the last sound is still trimmed and written."""
        write_frame(self._frames, {"kind": "ending"})

    def _send(self, chunk: Chunk) -> None:
        words = [dataclasses.astuple(word) for word in chunk.words]
        write_frame(self._frames, {"kind": "chunk", "words": words}, chunk.samples.astype("<f4").tobytes())


def _first_word() -> Utterance:
    return Utterance((Run("Ready.", 0, 6),), find_voice("af_heart"), "a")


def ignore_signals() -> None:
    """Leave SIGINT and SIGTERM to the owner: a terminal or a service may send them to all of its processes."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)


def take_stdout() -> IO[bytes]:
    """Keep stdout for frames alone: what a library prints goes to stderr."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return frames


def _parser() -> argparse.ArgumentParser:
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
