"""A voice's table as the .pt file that PyTorch reads, written without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
from numpy.typing import NDArray


def to_pt(table: NDArray[np.float32]) -> bytes:
    """What `torch.save` makes of a tensor [n, 1, 256] with the values of `table` [n, 256]: Kokoro's voices/NAME.pt.

    The format is PyTorch's zip container (docs "Serialization semantics"): a pickle that names one storage, and the
    storage's bytes, nothing compressed.
    """
    rows, width = table.shape
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("voice/data.pkl", _pickle_of((rows, 1, width), (width, width, 1)))
        archive.writestr("voice/byteorder", "little")
        archive.writestr("voice/data/0", table.astype("<f4").tobytes())
        archive.writestr("voice/version", "3\n")
    return file.getvalue()


def _pickle_of(shape: tuple[int, int, int], strides: tuple[int, int, int]) -> bytes:
    """A pickle of `_rebuild_tensor_v2(storage "0", 0, shape, strides, requires_grad=False, hooks={})`, opcode by
    opcode: the pickle module could only write the names of classes that can be imported here."""
    count = shape[0] * shape[1] * shape[2]
    storage = _tuple(_text("storage"), _name("torch", "FloatStorage"), _text("0"), _text("cpu"), _number(count))
    hooks = _name("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = _tuple(
        storage + pickle.BINPERSID,
        _number(0),
        _tuple(*map(_number, shape)),
        _tuple(*map(_number, strides)),
        pickle.NEWFALSE,
        hooks,
    )
    call = _name("torch._utils", "_rebuild_tensor_v2") + arguments + pickle.REDUCE
    return pickle.PROTO + b"\x02" + call + pickle.STOP


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode("ascii")


def _text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode("ascii")


def _number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)
