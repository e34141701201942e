"""Many arrays in one file that every worker maps, so that the machine holds them once."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
LINE = 64  # bytes: each array begins on a cache line


def save_arrays(folder: Path, arrays: Mapping[str, Array]) -> None:
    """Write one file of arrays, and where each is in it."""
    index: dict[str, tuple[int, tuple[int, ...], str]] = {}
    with (folder / "arrays.bin").open("wb") as file:
        for key, array in arrays.items():
            file.write(bytes(-file.tell() % LINE))
            index[key] = (file.tell(), array.shape, array.dtype.str)
            file.write(np.ascontiguousarray(array).tobytes())
    (folder / "arrays.json").write_text(json.dumps(index), encoding="utf-8")


def map_arrays(folder: Path) -> dict[str, Array]:
    """The arrays of `save_arrays`, read-only, read from disk when first used."""
    index = json.loads((folder / "arrays.json").read_text(encoding="utf-8"))
    if not index:
        return {}
    whole = np.memmap(folder / "arrays.bin", np.uint8, "r")
    return {key: _array(whole, *place) for key, place in index.items()}


def _array(whole: NDArray[np.uint8], start: int, shape: list[int], kind: str) -> Array:
    size = np.dtype(kind).itemsize * int(np.prod(shape))
    return np.asarray(whole[start : start + size]).view(kind).reshape(shape)
