"""A worker process without a network: it speaks a tone over the real frames, or goes wrong in one way.

`--mode` cannot-load, prints, mute and slow-start are about its start; the others befall an utterance that says "bad",
every other one is spoken. Run as `python -m benchmarks.fake_worker_process`.
"""

from __future__ import annotations

import argparse
import array
import math
import os
import queue
import random
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from kokoro_server.synthesis.frames import FRAME_PREFIX, read_frame, write_frame

MODES = (
    *("cannot-load", "prints", "mute", "slow-start"),
    *("die", "rubbish", "hang", "error", "endless", "odd-kind", "die-ending", "hang-ending"),
)
FOREVER = 60.0
"""Seconds: longer than any test, and yet no process stays for good."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds of work a character")
    parser.add_argument("--pieces", type=int, default=2)
    parser.add_argument("--ms", type=int, default=1, help="milliseconds of sound a character")
    parser.add_argument("--linger", type=float, help="seconds from saying that it ends to its last piece")
    parser.add_argument("--noise", action="store_true", help="noise that FLAC makes as much of as of speech, no tone")
    parser.add_argument("--once", type=Path, help="a file; where it is there already, the start fails")
    options = parser.parse_args()
    frames = sys.stdout.buffer
    simulate_start("cannot-load" if started_before(options.once) else options.mode, frames)
    write_frame(frames, {"kind": "ready", "message": "a fake"})
    orders: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]] = queue.SimpleQueue()
    threading.Thread(target=read_calls, args=(orders,), daemon=True).start()
    while True:
        order, stop = orders.get()
        text = "".join(span["text"] for span in order["utterance"]["spans"])
        if options.mode and "bad" in text:
            simulate_fault(options.mode, frames)
            continue
        if order["kind"] == "phonemize":
            write_frame(frames, {"kind": "phonemes", "phonemes": text.lower(), "tokens": [0, len(text), 0]})
        else:
            samples = make_samples(len(text) * options.ms, options.noise)
            send_samples(samples, options.pieces, options.pace * len(text), frames, stop, options.linger)
        write_frame(frames, {"kind": "done"})


def started_before(file: Path | None) -> bool:
    if file is None or file.exists():
        return file is not None
    file.touch()
    return False


def simulate_start(mode: str | None, frames: IO[bytes]) -> None:
    if mode == "cannot-load":
        write_frame(frames, {"kind": "failed", "message": "ValueError: no such model"})
        sys.exit(3)
    if mode == "prints":
        print("Loading the model, please wait ...", flush=True)
    if mode == "mute":
        time.sleep(FOREVER)
    if mode == "slow-start":
        time.sleep(0.5)


def simulate_fault(mode: str, frames: IO[bytes]) -> None:
    chunk = {"kind": "chunk", "words": []}
    if mode.endswith("-ending"):
        write_frame(frames, {"kind": "ending"})
        time.sleep(0.2)
    if mode == "die-ending":
        os._exit(9)
    if mode in ("die", "rubbish", "endless"):
        write_frame(frames, chunk, bytes(4000))
    if mode == "die":
        frames.write(FRAME_PREFIX.pack(50, 4000) + b"half a fra")
        frames.flush()
        os._exit(9)
    if mode == "rubbish":
        frames.write(b"Traceback (most recent call last):\n" * 3)
        frames.flush()
    if mode == "error":
        write_frame(frames, {"kind": "error", "message": "The speech engine failed: ValueError."})
    if mode == "odd-kind":
        write_frame(frames, {"kind": "greeting"})
    while mode == "endless":
        write_frame(frames, chunk, bytes(400))
        time.sleep(0.001)
    if mode in ("hang", "hang-ending", "rubbish"):
        time.sleep(FOREVER)


def read_calls(calls: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]]) -> None:
    stop = threading.Event()
    while frame := read_frame(sys.stdin.buffer):
        if frame[0]["kind"] == "cancel":
            stop.set()
        else:
            stop = threading.Event()
            calls.put((frame[0], stop))
    os._exit(0)


def make_samples(ms: int, noise: bool) -> array.array[float]:
    """24 samples a millisecond."""
    if noise:
        return (NOISE * (1 + 24 * ms // len(NOISE)))[: 24 * ms]
    return array.array("f", (0.25 * math.sin(i * math.pi / 12) for i in range(24))) * ms


NOISE = array.array("f", (random.uniform(-0.02, 0.02) for _ in range(24_000)))


def send_samples(
    samples: array.array[float],
    pieces: int,
    seconds: float,
    frames: IO[bytes],
    stop: threading.Event,
    linger: float | None,
) -> None:
    """Send the samples in pieces, as slowly as if they were made."""
    step = -(-len(samples) // pieces)
    for start in range(0, len(samples), step):
        if stop.wait(seconds / pieces):
            return
        if linger is not None and start + step >= len(samples):
            write_frame(frames, {"kind": "ending"})
            time.sleep(linger)
        write_frame(frames, {"kind": "chunk", "words": []}, samples[start : start + step].tobytes())


if __name__ == "__main__":
    main()
