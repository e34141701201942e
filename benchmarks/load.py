"""Generate open-loop load: requests arrive at random at a share of the capacity, whether or not the server keeps up.

`python -m benchmarks.load http://127.0.0.1:9880` measures the capacity first, then runs at 50, 90 and 150 % of it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count

try:
    import httpx
except ModuleNotFoundError:  # it comes with requirements-dev.txt
    raise SystemExit("The load benchmark needs httpx: python run.py test, or pip install httpx.") from None

TEXT = "The library opens at nine, and the reading room stays quiet until the first school class arrives."
CAPACITY_CLIENTS = 8
"""Simultaneous clients while the capacity is measured: enough to keep every worker busy, few enough for the queue."""
LOAD_TIMEOUT = 120.0
"""Seconds after which a request counts as failed."""
MAX_REFUSAL_SECONDS = 0.05
"""Seconds that a 429 may take (99th percentile)."""


@dataclass(frozen=True)
class Outcome:
    """Hold the outcome of one request: status (0: no response), seconds to the first and last byte, bytes received."""

    status: int
    first: float
    total: float
    size: int = 0


@dataclass(frozen=True)
class Level:
    """Hold the results at one share of the capacity; rates per second, times in seconds. `--json` prints its fields."""

    share: float
    rate: float
    seconds: float
    sent: int
    whole: int
    refused: int
    failed: int
    goodput: float
    """Complete answers per second, until the last one."""
    refusal_p99: float
    first_p50: float
    first_p99: float
    total_p99: float


SendRequest = Callable[[], Outcome]


class LoadClient:
    """Request the same text from one server, with a new number in front each time to bypass caches. Thread-safe."""

    def __init__(self, address: str, text: str = TEXT, key: str = "") -> None:
        self._text = text
        self._numbers = count()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
        self._client = httpx.Client(base_url=address, headers=headers, timeout=LOAD_TIMEOUT, limits=limits)

    def send(self) -> Outcome:
        """Send a request, read the response to its end, and return its outcome. Never raises httpx.HTTPError."""
        began = time.monotonic()
        body = {"text": f"{next(self._numbers)} {self._text}", "format": "pcm"}
        try:
            with self._client.stream("POST", "/synthesize/stream", json=body) as answer:
                first, size = 0.0, 0
                for block in answer.iter_raw():
                    first = first or time.monotonic() - began
                    size += len(block)
        except httpx.HTTPError:
            return Outcome(0, 0.0, time.monotonic() - began)
        return Outcome(answer.status_code, first, time.monotonic() - began, size)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def measure_capacity(send: SendRequest, seconds: float, clients: int = CAPACITY_CLIENTS) -> float:
    """Measure the capacity in complete answers per second: each client sends again as soon as it is answered."""
    end = time.monotonic() + seconds
    whole = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal whole
        while time.monotonic() < end:
            outcome = send()
            if outcome.status == 200:
                with lock:
                    whole += 1
            else:
                time.sleep(0.05)

    began = time.monotonic()
    with ThreadPoolExecutor(clients) as crowd:
        for each in [crowd.submit(work) for _ in range(clients)]:
            each.result()
    return whole / (time.monotonic() - began)


def draw_arrivals(rate: float, seconds: float, rng: random.Random) -> Iterator[float]:
    """Yield arrival times in seconds of a Poisson process with `rate` arrivals per second."""
    at = rng.expovariate(rate)
    while at < seconds:
        yield at
        at += rng.expovariate(rate)


def run_level(send: SendRequest, share: float, rate: float, seconds: float, rng: random.Random) -> Level:
    """Send requests at `rate` per second for `seconds`, whatever their outcome, then wait for every response."""
    began = time.monotonic()
    threads = min(2000, 50 + int(rate * 30))
    with ThreadPoolExecutor(threads) as crowd:
        sent = []
        for at in draw_arrivals(rate, seconds, rng):
            time.sleep(max(0.0, began + at - time.monotonic()))
            sent.append(crowd.submit(send))
        outcomes = [each.result() for each in sent]
    return summarize_level(share, rate, time.monotonic() - began, outcomes)


def summarize_level(share: float, rate: float, seconds: float, outcomes: Sequence[Outcome]) -> Level:
    """Summarize the outcomes of one level; a 429 counts as refused, any other status but 200 as failed."""
    whole = [outcome for outcome in outcomes if outcome.status == 200]
    refused = [outcome for outcome in outcomes if outcome.status == 429]
    return Level(
        share,
        round(rate, 2),
        round(seconds, 1),
        sent=len(outcomes),
        whole=len(whole),
        refused=len(refused),
        failed=len(outcomes) - len(whole) - len(refused),
        goodput=round(len(whole) / seconds, 2),
        refusal_p99=find_nearest_rank_percentile([outcome.total for outcome in refused], 99),
        first_p50=find_nearest_rank_percentile([outcome.first for outcome in whole], 50),
        first_p99=find_nearest_rank_percentile([outcome.first for outcome in whole], 99),
        total_p99=find_nearest_rank_percentile([outcome.total for outcome in whole], 99),
    )


def find_nearest_rank_percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, `share` in percent; 0 for no values."""
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * int(share) // 100) - 1)], 4) if ordered else 0.0


def find_violations(levels: Sequence[Level]) -> list[str]:
    """Return a line for each violation: failed requests, falling goodput above capacity, slow refusals."""
    best = max(level.goodput for level in levels)
    found = [f"{level.share:.0%}: {level.failed} requests failed" for level in levels if level.failed]
    for level in levels:
        if level.share > 1 and level.goodput < 0.95 * best:
            found.append(f"{level.share:.0%}: the goodput of {level.goodput} is below 95 % of the best, {best}")
        if level.refused and level.refusal_p99 > MAX_REFUSAL_SECONDS:
            found.append(f"{level.share:.0%}: refusals took up to {1000 * level.refusal_p99:.0f} ms")
    return found


def format_levels(levels: Sequence[Level]) -> str:
    """Format the levels as a Markdown table."""
    lines = [
        "| load | arrivals/s | whole/s | whole | 429 | failed | 429 p99 | first sound p50 | p99 | whole p99 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for level in levels:
        lines.append(
            f"| {level.share:.0%} | {level.rate:.1f} | {level.goodput:.1f} | {level.whole} | {level.refused} |"
            f" {level.failed} | {1000 * level.refusal_p99:.0f} ms | {level.first_p50:.2f} s | {level.first_p99:.2f} s |"
            f" {level.total_p99:.2f} s |"
        )
    return "\n".join(lines)


def main() -> int:
    """Run the load test; return 1 if it found a violation."""
    options = parse_load_arguments(sys.argv[1:])
    client = LoadClient(options.address, options.text, options.key)
    rng = random.Random(options.seed)
    try:
        client.send()
        able = options.capacity or measure_capacity(client.send, options.warm_up)
        print(f"Capacity: {able:.2f} whole answers a second", file=sys.stderr, flush=True)
        levels = [run_level(client.send, share, share * able, options.seconds, rng) for share in options.shares]
    finally:
        client.close()
    print(format_levels(levels))
    if options.json:
        print(json.dumps([asdict(level) for level in levels], indent=2))
    for fault in (found := find_violations(levels)):
        print(fault, file=sys.stderr)
    return 1 if found else 0


def parse_load_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    add = parser.add_argument
    add("address", help="of a server that runs, such as http://127.0.0.1:9880")
    add("--seconds", type=float, default=120.0, help="at each level")
    add("--shares", default="0.5,0.9,1.5", help="of the capacity")
    add("--capacity", type=float, default=0.0, help="answers per second; 0 measures it")
    add("--warm-up", type=float, default=20.0, help="seconds that the capacity is measured for")
    add("--text", default=TEXT)
    add("--key", default="", help="the server's API key")
    add("--seed", type=int, default=1)
    add("--json", action="store_true")
    options = parser.parse_args(arguments)
    options.shares = [float(share) for share in options.shares.split(",")]
    return options


if __name__ == "__main__":
    sys.exit(main())
