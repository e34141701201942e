"""Run the benchmark: `python -m benchmarks --help`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.competitors import COMPETITORS, make_instant_server
from benchmarks.report import format_results, save_json, save_plot
from benchmarks.run import BenchmarkPlan, run_plan
from kokoro_server.core.signals import exit_on_signal


def main() -> None:
    """Run the benchmark, print its table, and save JSON and a plot if asked."""
    options = parse_arguments(sys.argv[1:])
    exit_on_signal()  # through the `finally` blocks that stop the servers
    plan = BenchmarkPlan(
        options.rounds, options.long_rounds, options.clients, options.voice, options.seed, options.minutes
    )
    with tempfile.TemporaryDirectory(prefix="kokoro-benchmarks-") as folder:
        speakers = [COMPETITORS[name](Path(folder), options.workers) for name in options.targets]
        results = run_plan(plan, speakers, make_instant_server())
    print(format_results(results))
    if options.json:
        save_json(results, options.json)
    if options.plot:
        save_plot(results, options.plot)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exits on an unknown target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "--targets",
        default=",".join(COMPETITORS),
        help="targets to measure; the first is compared with the others",
    )
    add("--rounds", type=int, default=5, help="requests per kind of text and target")
    add("--long-rounds", type=int, default=2, help="the same for texts of 250 words")
    add("--clients", default="1,2,4,8", help="numbers of simultaneous clients; empty: no load test")
    add("--voice", default="af_heart")
    add("--workers", type=int, default=0, help="workers of our server; 0: its default")
    add("--seed", type=int, default=int(time.time()), help="seed of the texts; default: the clock")
    add("--minutes", type=float, default=30.0, help="no new request starts after this time")
    add("--json", type=Path, metavar="FILE")
    add("--plot", type=Path, metavar="FILE.png", help="needs matplotlib")
    options = parser.parse_args(arguments)
    options.targets = options.targets.split(",")
    options.clients = tuple(int(level) for level in options.clients.split(",") if level)
    unknown = set(options.targets) - set(COMPETITORS)
    if unknown:
        parser.error(f"--targets {','.join(unknown)}: expected some of {', '.join(COMPETITORS)}")
    return options


if __name__ == "__main__":
    main()
