"""Fuzzes for long: `python -m tests.fuzz [--cases N] [--seed S] [target ...]`; a case that breaks something is shown,
and kept in the folder that `--found` names.

Targets of texts are mutated from the corpus; those that are made by rules (`--rules`) are Hypothesis's, which keeps
what it finds itself, in the same folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import sys
import time
import traceback
from itertools import islice
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz.blowups import cpu, expressions, modules
from tests.fuzz.blowups import faults as blow_ups
from tests.fuzz.mutations import kept, mutations
from tests.fuzz.targets import MUTATED, TARGETS

ALLOWED = 1.0
"""Seconds of CPU time that a case may take: the slowest that is fair takes a tenth."""


class TooSlow(AssertionError):
    """A case took longer than any of its length should."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"by default all: {', '.join(MUTATED)}")
    parser.add_argument("--cases", type=int, default=50_000, help="of each target")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other cases")
    parser.add_argument("--found", type=Path, default=Path(".hypothesis/fuzz"))
    parser.add_argument("--rules", action="store_true", help=f"the targets made by rules: {', '.join(TARGETS)}")
    parser.add_argument("--expressions", action="store_true", help="attack every regular expression instead")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what the code tells of a million odd cases is nobody's to read
    if options.expressions:
        return attack()
    known = TARGETS if options.rules else MUTATED
    unknown = set(options.targets) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(known)}")
    broken = 0
    for name in options.targets or known:
        began = time.process_time()
        if options.rules:
            faults = fuzz(name, options.cases, options.found)
        else:
            faults = mutate(name, options.cases, options.seed, options.found)
        print(f"{name}: {options.cases} cases, {faults} broken, {time.process_time() - began:.0f} s of CPU", flush=True)
        broken += faults
    return min(broken, 1)


def attack() -> int:
    """1 when an expression takes too long for one of all the texts that were made for it."""
    faults = [fault for module in modules() for expression in expressions(module) for fault in blow_ups(expression)]
    print("\n".join(faults) or "No expression blows up.")
    return min(len(faults), 1)


def mutate(name: str, cases: int, seed: int, found: Path) -> int:
    """Try so many cases of a target; how many kinds of faults they found, each of which is shown and kept once."""
    faults: dict[str, str] = {}
    for text in islice(mutations(kept(name), random.Random(f"{name} {seed}")), cases):
        try:
            try_case(name, text)
        except Exception as exc:  # the edge of one case: the others are still worth a try
            place = traceback.extract_tb(exc.__traceback__)[-1]
            kind = f"{type(exc).__name__} at {Path(place.filename).name}:{place.lineno}"
            if kind not in faults:
                faults[kind] = text
                print(f"{name}: {kind}: {str(exc)[:300]}\n    {text!r:.600}", file=sys.stderr, flush=True)
                found.mkdir(parents=True, exist_ok=True)
                path = (
                    found
                    / f"{name.replace(' ', '_')}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}.json"
                )
                path.write_text(json.dumps(text), "utf-8")
    return len(faults)


def try_case(name: str, text: str) -> None:
    """Raises what the case breaks, or TooSlow."""
    taken = cpu(lambda: MUTATED[name](text))
    if taken > ALLOWED and (again := cpu(lambda: MUTATED[name](text))) > ALLOWED:  # the first may load a library
        raise TooSlow(f"{again:.2f} s for {len(text)} characters")


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
    try:
        profile(given(strategy)(case))()
    except Exception as exc:  # the edge of one target: the others are still worth a look
        print(f"{name}: broken by {exc!r}\n{''.join(getattr(exc, '__notes__', []))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
