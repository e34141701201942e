"""A long day of a server that runs: thousands of requests of mixed length, and what it holds meanwhile.

`python -m tests.resilience.soak PID http://127.0.0.1:9880 --requests 5000 --clients 8` prints a row every so many
requests: megabytes of the server and of its workers that they share with nobody, descriptors, threads, children.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import psutil

WORDS = (
    *("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "near", "some", "quiet", "river", "bank"),
    *("while", "seven", "old", "men", "sing"),
)
FORMATS = ("wav", "mp3", "opus", "aac", "flac", "pcm")
MEGABYTE = 1_000_000

Ask = Callable[[httpx.Client, random.Random], None]


@dataclass(frozen=True)
class Held:
    """What a server and its children hold: bytes that no other process has, and things that could leak."""

    server: int
    workers: int
    descriptors: int
    threads: int
    children: int

    def row(self, done: int) -> str:
        megabytes = f"{self.server / MEGABYTE:8.1f} {self.workers / MEGABYTE:9.1f}"
        return f"{done:8} {megabytes} {self.descriptors:6} {self.threads:8} {self.children:9}"


HEADINGS = f"{'requests':>8} {'MB':>8} {'workers':>9} {'files':>6} {'threads':>8} {'children':>9}"


def held(pid: int) -> Held:
    """What the server with that process id holds now."""
    server = psutil.Process(pid)
    children = server.children(recursive=True)
    return Held(
        server.memory_full_info().uss,
        sum(child.memory_full_info().uss for child in children),
        server.num_fds() if sys.platform != "win32" else server.num_handles(),  # type: ignore[attr-defined]
        server.num_threads(),
        len(children),
    )


def text(rng: random.Random, longest: int) -> str:
    """A text of one to `longest` words, short ones as often as long ones."""
    count = min(longest, round(longest ** rng.random()) or 1)
    return " ".join(rng.choice(WORDS) for _ in range(count)).capitalize() + "."


def mixed(longest: int) -> Ask:
    """Requests as all kinds of clients send them: every route and format, some that are refused, some that leave."""

    def ask(client: httpx.Client, rng: random.Random) -> None:
        said = text(rng, longest)
        kind = rng.random()
        if kind < 0.35:
            expect(client.post("/synthesize/stream", json={"text": said, "format": rng.choice(FORMATS)}), 200)
        elif kind < 0.6:
            expect(client.post("/synthesize", json={"text": said, "format": rng.choice(FORMATS)}), 200)
        elif kind < 0.8:
            body = {"input": said, "voice": "alloy", "response_format": rng.choice(FORMATS)}
            expect(client.post("/v1/audio/speech", json=body), 200)
        elif kind < 0.85:
            expect(client.post("/synthesize/stream", json={"text": said}, headers={"Accept": "text/vtt"}), 200)
        elif kind < 0.9:
            expect(client.post("/synthesize", json={"text": said, "voice": f"nobody{rng.random()}"}), 400)
        elif kind < 0.95:
            with client.stream("POST", "/synthesize/stream", json={"text": said}) as answer:
                next(answer.iter_raw(100), b"")  # and leaves
        else:
            expect(client.get(rng.choice(("/health", "/metrics", "/voices", "/no/such"))), None)

    return ask


def expect(answer: httpx.Response, status: int | None) -> None:
    if status is not None and answer.status_code != status:
        raise AssertionError(f"{answer.status_code} instead of {status}: {answer.text[:300]}")


def day(pid: int, address: str, ask: Ask, requests: int, clients: int, every: int) -> Iterator[tuple[int, Held]]:
    """Ask so many times, up to `clients` at once; what is held every so many requests."""
    seeds = itertools.count()

    def some(share: int) -> None:
        rng = random.Random(next(seeds))
        with httpx.Client(base_url=address, timeout=120) as client:
            for _ in range(share):
                ask(client, rng)

    done = 0
    while done < requests:
        with ThreadPoolExecutor(clients) as crowd:
            list(crowd.map(some, [every // clients] * clients))
        done += every // clients * clients
        yield done, held(pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pid", type=int, help="of the server")
    parser.add_argument("address")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--longest", type=int, default=8, help="words")
    options = parser.parse_args()
    print(HEADINGS, flush=True)
    print(held(options.pid).row(0), flush=True)
    ask = mixed(options.longest)
    for done, now in day(options.pid, options.address, ask, options.requests, options.clients, options.every):
        print(now.row(done), flush=True)


if __name__ == "__main__":
    main()
