"""Finds every regular expression of the project, and writes texts that each of them would find hardest."""

from __future__ import annotations

import ast
import gc
import importlib
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from re import _constants as codes  # how `re` itself reads an expression
from re import _parser as parser
from types import ModuleType
from typing import Any

import kokoro_server

LONG = 10_000
"""Characters of a long text: a linear expression takes ten times as long for it as for a tenth of it."""
UTTERANCE = 1_500
"""Characters that are read or spoken in one go, at most: what stands in READING never sees more."""
READING = (
    "kokoro_server.text.normalization.",
    "kokoro_server.text.g2p.",
    "kokoro_server.model.",
    "kokoro_server.synthesis.",
)
FELT = 0.004
"""Seconds of CPU time below which growth is not worth a look: clocks and caches matter more."""
STEEPEST = 35.0
"""Most times as long for ten times the text: a linear one takes 10, a quadratic one 100, and clocks err."""
MOST = 0.25
"""Seconds of CPU time that no expression may take for a long text, linear or not."""
TRIES = 3
"""Samples of each expression that texts are made of."""
LONGEST_SAMPLE = 24
"""Times that a sample repeats what may be repeated more often."""


@dataclass(frozen=True)
class Expression:
    """An expression, where it stands, and the methods that it is used by (all of them where nobody can tell)."""

    name: str
    pattern: re.Pattern[str]
    uses: frozenset[str]


# --- Finding them ----------------------------------------------------------------------------------------------------


def modules() -> list[str]:
    """The name of every module of ours."""
    found = (found.name for found in pkgutil.walk_packages(kokoro_server.__path__, "kokoro_server."))
    return [*(name for name in found if not name.endswith("__main__")), "config", "kokoro_tts_api"]


def expressions(module_name: str) -> list[Expression]:
    """Every expression that stands in a module, in its tables, or in a call; each once."""
    module = importlib.import_module(module_name)
    source = Path(module.__file__ or "").read_text("utf-8")
    found: dict[str, Expression] = {}
    for expression in (*_kept(module, source), *_written(module, source)):
        found.setdefault(expression.pattern.pattern, expression)
    return list(found.values())


def _kept(module: ModuleType, source: str) -> Iterator[Expression]:
    for name, value in list(vars(module).items()):
        for place, pattern in _patterns(value, set()):
            uses = frozenset(re.findall(rf"\b{name}\.([a-z]+)\(", source)) if not place else frozenset()
            yield Expression(f"{module.__name__}.{name}{place}", pattern, uses)


def _patterns(value: object, seen: set[int]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """The expressions in a value, with the way to each."""
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield "", value
        return
    if id(value) in seen or isinstance(value, str | bytes | int | float | type | ModuleType):
        return
    seen.add(id(value))
    for place, inside in _insides(value):
        for further, pattern in _patterns(inside, seen):
            yield f"{place}{further}", pattern


def _insides(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"[{key!r:.20}]", inside) for key, inside in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{number}]", inside) for number, inside in enumerate(value))
    elif type(value).__module__.startswith("kokoro_server.") and hasattr(value, "__dict__"):
        yield from ((f".{name}", inside) for name, inside in vars(value).items())


def _written(module: ModuleType, source: str) -> Iterator[Expression]:
    """Those that stand in calls of re.sub() and its like; what is put together there is left to the fuzzing."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not re.fullmatch(r"re\.[a-z]+", ast.unparse(node.func)):
            continue
        written = node.args[0] if node.args else None
        if isinstance(written, ast.Constant) and isinstance(written.value, str):
            flags = next((ast.unparse(word.value) for word in node.keywords if word.arg == "flags"), "")
            pattern = re.compile(written.value, re.MULTILINE if "MULTILINE" in flags else 0)
            uses = frozenset({ast.unparse(node.func).removeprefix("re.")}) - {"compile"}
            yield Expression(f"{module.__name__}:{node.lineno}", pattern, uses)


# --- Attacking them --------------------------------------------------------------------------------------------------


def attacks(pattern: re.Pattern[str], most: int) -> list[Callable[[int], str]]:
    """Makers of texts of any length: runs of what it may repeat, behind what must stand before that, and an end that
    spoils the match; beginnings of a match, over and over."""
    runs: dict[tuple[str, str], None] = {}
    others: dict[tuple[str, str], None] = {}
    for seed in range(TRIES):
        chance = random.Random(seed)
        for before, repeated in _repeats(parser.parse(pattern.pattern, pattern.flags), "", chance):
            runs[before, repeated] = None
            others.update({("", before): None, ("", before + repeated): None})
    chosen = [*_some(list(runs), 2 * most // 3), *_some(list(others), most // 3)]
    return [partial(_text, opening, unit) for opening, unit in chosen if unit]


def _some(made: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    return random.Random(0).sample(made, most) if len(made) > most else made


def _text(opening: str, unit: str, length: int) -> str:
    return (opening + unit * (1 + length // len(unit)))[:length] + "\x00"


def _repeats(tree: Any, before: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    """(What matches up to a repetition, what is repeated) for every repetition of the expression."""
    for code, what in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            _, most, inside = what
            if most > 2:
                yield before, _sample(inside, chance)
            yield from _repeats(inside, before, chance)
        elif code is codes.SUBPATTERN:
            yield from _repeats(what[3], before, chance)
        elif code is codes.ATOMIC_GROUP:
            yield from _repeats(what, before, chance)
        elif code is codes.BRANCH:
            for branch in what[1]:
                yield from _repeats(branch, before, chance)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _repeats(what[1], before, chance)
        before += _sample([(code, what)], chance)
    yield before, before


def _sample(tree: Any, chance: random.Random) -> str:
    """A text that a part of an expression matches, or nearly: what it looks at behind or ahead of it is left out."""
    return "".join(_one(code, what, chance) for code, what in tree)


def _one(code: Any, what: Any, chance: random.Random) -> str:
    if code is codes.LITERAL:
        return chr(what)
    if code is codes.NOT_LITERAL:
        return chance.choice([sign for sign in "a1 .-" if ord(sign) != what])
    if code is codes.ANY:
        return chance.choice("a1 .")
    if code is codes.IN:
        return _of_class(what, chance)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, inside = what
        times = chance.choice([least, max(least, 1), min(most, max(least, LONGEST_SAMPLE))])
        return "".join(_sample(inside, chance) for _ in range(min(times, most)))
    if code is codes.SUBPATTERN:
        return _sample(what[3], chance)
    if code is codes.ATOMIC_GROUP:
        return _sample(what, chance)
    if code is codes.BRANCH:
        return _sample(chance.choice(what[1]), chance)
    if code is codes.ASSERT and what[0] < 0:
        return _sample(what[1], chance)  # what must stand before a match is part of no match, yet it must be there
    return ""


_CATEGORIES = {
    codes.CATEGORY_DIGIT: "17",
    codes.CATEGORY_SPACE: " \n",
    codes.CATEGORY_WORD: "aA1_",
    codes.CATEGORY_NOT_DIGIT: "a .",
    codes.CATEGORY_NOT_SPACE: "a1.",
    codes.CATEGORY_NOT_WORD: " .-",
}


def _of_class(members: Any, chance: random.Random) -> str:
    if members[0][0] is codes.NEGATE:
        matcher = re.compile(_spelled(members))
        fitting = [sign for sign in "aZ1 .-\n(\u4e00é" if matcher.fullmatch(sign)]
        return chance.choice(fitting or ["\u2603"])
    code, what = chance.choice(members)
    if code is codes.RANGE:
        return chr(chance.choice(what))
    return chance.choice(_CATEGORIES[what]) if code is codes.CATEGORY else chr(what)


_NAMES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_NOT_WORD: r"\W",
}


def _spelled(members: Any) -> str:
    """A class as an expression again."""
    parts = []
    for code, what in members[1:]:
        if code is codes.RANGE:
            parts.append(f"\\U{what[0]:08x}-\\U{what[1]:08x}")
        else:
            parts.append(_NAMES[what] if code is codes.CATEGORY else f"\\U{what:08x}")
    return f"[^{''.join(parts)}]"


# --- Timing them -----------------------------------------------------------------------------------------------------


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU time, without what the collector of garbage takes for all that others have left."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        if collecting:
            gc.enable()


def blow_up(work: Callable[[str], object], maker: Callable[[int], str], length: int = LONG) -> str:
    """How the work on a text of that length is out of proportion to that on a short one, or nothing when it is not."""
    short_length = length // 10
    for tried in (
        16,
        20,
        24,
        28,
        36,
        48,
        64,
        100,
        short_length,
    ):  # what doubles with each character would keep us for years
        if cpu(partial(work, maker(tried))) > MOST:
            return f"more than {MOST} s for {tried} characters: {maker(60)!r}"
    long = cpu(partial(work, maker(length)))
    if long < FELT:
        return ""
    for _ in range(2):  # a page that was not there yet, another process: the best of three is the truth
        long = min(long, cpu(partial(work, maker(length))))
    short = min(cpu(partial(work, maker(short_length))) for _ in range(3))
    steep = long > FELT and long > STEEPEST * short and length == LONG  # with fewer, squares are small
    if steep or long > MOST:
        return f"{1000 * long:.1f} ms for {length} characters, {1000 * short:.2f} ms for {short_length}: {maker(60)!r}"
    return ""


def ways(expression: Expression) -> list[Callable[[str], object]]:
    """What the code does with it: looks at one place, or goes through all of the text."""
    pattern, uses = expression.pattern, expression.uses
    if uses and uses <= {"match", "fullmatch"}:
        return [pattern.match, pattern.fullmatch]
    return [pattern.match, pattern.fullmatch, lambda text: sum(1 for _ in pattern.finditer(text))]


def faults(expression: Expression, most: int = 10_000) -> Iterator[str]:
    """What the expression takes too long for, of up to `most` attacks."""
    makers = attacks(expression.pattern, most)
    length = UTTERANCE if expression.name.startswith(READING) else LONG
    for way in ways(expression):
        for maker in makers:
            found = blow_up(way, maker, length)
            if found:
                yield f"{expression.name} {getattr(way, '__name__', way)}: {found}"
