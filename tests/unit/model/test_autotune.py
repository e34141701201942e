"""Which kernels run: what the CPU can, what measured best there, or what was asked for."""

import json
from pathlib import Path

import numpy as np
import pytest

from kokoro_server.model.kernels.library import TARGETS, KernelLibrary, get_native_target, list_supported_targets
from kokoro_server.model.native import autotune
from kokoro_server.model.native.autotune import (
    RUNS,
    find_fastest_target,
    get_target,
    list_candidates,
    make_timed_layer,
    time_layer,
)

TWO = ["avx512f", "avx", "plain"]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[float]]:
    """Seconds by a vector's width, one for each time that it is asked, on a CPU that has two kinds."""
    seconds = {16: [2.0] * RUNS, 8: [1.0] * RUNS}
    monkeypatch.setattr(autotune, "list_supported_targets", lambda: TWO)
    monkeypatch.setattr(autotune, "KernelLibrary", lambda cache, target: target)
    monkeypatch.setattr(autotune, "make_timed_layer", lambda target: target)
    monkeypatch.setattr(autotune, "time_layer", lambda target: seconds[target.width].pop())
    return seconds


@pytest.mark.parametrize(("wide", "expected"), [(2.0, "avx"), (1.06, "avx"), (1.04, "avx512f"), (0.5, "avx512f")])
def test_two_kinds_of_vectors_are_measured_once(
    measured: dict[int, list[float]], tmp_path: Path, wide: float, expected: str
) -> None:
    measured[16] = [9.0] * (RUNS - 1) + [wide]
    assert find_fastest_target(tmp_path) == TARGETS[expected]
    assert measured == {16: [], 8: []}
    assert find_fastest_target(tmp_path) == TARGETS[expected]
    (kept,) = tmp_path.glob("*/seconds.json")
    assert json.loads(kept.read_text()) == {"avx512f": wide, "avx": 1.0}


@pytest.mark.parametrize("names", [["amx-bf16", *TWO], ["avx", "plain"], ["neon", "plain"], ["plain"]])
def test_where_one_is_best_nothing_is_measured(
    measured: dict[int, list[float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setattr(autotune, "list_supported_targets", lambda: names)
    assert list_candidates() == names[:1]
    assert find_fastest_target(tmp_path) == TARGETS[names[0]]
    assert list(tmp_path.iterdir()) == []


def test_a_layer_takes_some_milliseconds(tmp_path: Path) -> None:
    assert 1e-3 < time_layer(make_timed_layer(KernelLibrary(tmp_path, TARGETS["plain"]))) < 10


def test_the_best_of_this_cpu_is_among_those_that_fit() -> None:
    assert get_native_target() == TARGETS[list_supported_targets()[0]]
    assert list_supported_targets()[-1] == "plain"


def test_kernels_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="kernels 'abacus' are none of amx-bf16, avx512f, avx, neon, plain"):
        get_target("abacus")
    monkeypatch.setattr(autotune, "list_supported_targets", lambda: ["avx", "plain"])
    with pytest.raises(ValueError, match="this CPU has no 'neon': it can run avx, plain"):
        get_target("neon")
    assert get_target("avx") == TARGETS["avx"]


def test_every_kind_is_timed_with_the_same_layer(tmp_path: Path) -> None:
    names = [name for name in list_supported_targets() if not TARGETS[name].has_tiles]
    first, *others = (make_timed_layer(KernelLibrary(tmp_path, TARGETS[name]))() for name in names)
    assert np.isfinite(first.sums).all()
    for other in others:
        np.testing.assert_allclose(other.sums, first.sums, rtol=1e-3)
