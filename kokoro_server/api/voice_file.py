"""Write a voice's style table as a PyTorch .pt file, without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
from numpy.typing import NDArray


def to_pt(table: NDArray[np.float32]) -> bytes:
    """Encode a style table [n, 256] as `torch.save` writes a tensor [n, 1, 256]: Kokoro's voices/NAME.pt.

    The format is PyTorch's zip container (docs "Serialization semantics"): an uncompressed archive of a pickle that
    refers to one storage, and that storage's bytes.
    """
    rows, width = table.shape
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("voice/data.pkl", _pickle_tensor((rows, 1, width), (width, width, 1)))
        archive.writestr("voice/byteorder", "little")
        archive.writestr("voice/data/0", table.astype("<f4").tobytes())
        archive.writestr("voice/version", "3\n")
    return file.getvalue()


def _pickle_tensor(shape: tuple[int, int, int], strides: tuple[int, int, int]) -> bytes:
    """Encode the call `_rebuild_tensor_v2(storage "0", 0, shape, strides, requires_grad=False, hooks={})` as a pickle.

    It is written opcode by opcode, as the pickle module can only refer to classes that are installed. Strides are in
    elements.
    """
    count = shape[0] * shape[1] * shape[2]
    # A persistent id tells torch.load which storage to map: its type, key ("voice/data/0"), device and element count.
    storage = _pickle_tuple(
        _pickle_text("storage"),
        _pickle_global("torch", "FloatStorage"),
        _pickle_text("0"),
        _pickle_text("cpu"),
        _pickle_int(count),
    )
    hooks = _pickle_global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = _pickle_tuple(
        storage + pickle.BINPERSID,
        _pickle_int(0),
        _pickle_tuple(*map(_pickle_int, shape)),
        _pickle_tuple(*map(_pickle_int, strides)),
        pickle.NEWFALSE,
        hooks,
    )
    call = _pickle_global("torch._utils", "_rebuild_tensor_v2") + arguments + pickle.REDUCE
    # Protocol 2, as torch.save writes.
    return pickle.PROTO + b"\x02" + call + pickle.STOP


def _pickle_tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _pickle_global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode("ascii")


def _pickle_text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode("ascii")


def _pickle_int(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)
