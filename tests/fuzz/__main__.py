"""Fuzzes for long: `python -m tests.fuzz [--cases N] [--corpus FOLDER] [target ...]`; what it finds is kept there."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"by default all: {', '.join(TARGETS)}")
    parser.add_argument("--cases", type=int, default=100_000, help="of each target")
    parser.add_argument("--corpus", type=Path, default=Path(".hypothesis/fuzz"))
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(TARGETS)}")
    return max(fuzz(name, options.cases, options.corpus) for name in options.targets or TARGETS)


def fuzz(name: str, cases: int, corpus: Path) -> int:
    """1 when a case broke it, which is then shown and kept."""
    check, strategy = TARGETS[name]
    profile = settings(
        max_examples=cases,
        deadline=None,
        database=DirectoryBasedExampleDatabase(corpus),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )

    def case(sent: object) -> None:
        check(sent)

    case.__name__ = name.replace(" ", "_")  # what the corpus calls it
    case.__qualname__ = case.__name__
    began = time.monotonic()
    try:
        profile(given(strategy)(case))()
    except Exception as exc:  # the edge of one target: the others are still worth a look
        print(f"{name}: broken by {exc!r}\n{''.join(getattr(exc, '__notes__', []))}", file=sys.stderr)
        return 1
    print(f"{name}: up to {cases} cases, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
