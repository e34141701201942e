"""Store many arrays in one file that every worker maps into memory, so that the machine holds them once.

arrays.bin holds the arrays one after the other, each on a cache line; arrays.json maps names to [start in bytes, shape,
dtype].
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
CACHE_LINE_BYTES = 64
"""Bytes to whose multiples arrays are aligned: a cache line."""


def save_arrays(folder: Path, arrays: Mapping[str, Array]) -> None:
    """Write the arrays and their index to a folder."""
    index: dict[str, tuple[int, tuple[int, ...], str]] = {}
    with (folder / "arrays.bin").open("wb") as file:
        for key, array in arrays.items():
            file.write(bytes(-file.tell() % CACHE_LINE_BYTES))
            index[key] = (file.tell(), array.shape, array.dtype.str)
            file.write(np.ascontiguousarray(array).tobytes())
    (folder / "arrays.json").write_text(json.dumps(index), encoding="utf-8")


def map_arrays(folder: Path) -> dict[str, Array]:
    """Return the arrays of save_arrays, read-only; pages are read from disk when first used."""
    index = json.loads((folder / "arrays.json").read_text(encoding="utf-8"))
    if not index:
        return {}
    whole = np.memmap(folder / "arrays.bin", np.uint8, "r")
    return {key: _view_array(whole, *place) for key, place in index.items()}


def _view_array(whole: NDArray[np.uint8], start: int, shape: list[int], kind: str) -> Array:
    """Return one array as a view of the mapped file."""
    size = np.dtype(kind).itemsize * int(np.prod(shape))
    return np.asarray(whole[start : start + size]).view(kind).reshape(shape)
