"""Frames: what goes in comes out, and rubbish is told from it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_server.synthesis.frames import (
    FRAME_PREFIX,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    FrameError,
    read_frame,
    write_frame,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
headers = st.dictionaries(st.text(), scalars).flatmap(lambda rest: st.text().map(lambda kind: {**rest, "kind": kind}))


def frame(header: dict[str, Any], payload: bytes = b"") -> bytes:
    pipe = io.BytesIO()
    write_frame(pipe, header, payload)
    return pipe.getvalue()


@given(st.lists(st.tuples(headers, st.binary(max_size=200)), max_size=5))
def test_frames_come_out_as_they_went_in(frames: list[tuple[dict[str, Any], bytes]]) -> None:
    pipe = io.BytesIO(b"".join(frame(*each) for each in frames))
    assert [read_frame(pipe) for _ in frames] == frames
    assert read_frame(pipe) is None


@given(st.binary(min_size=1, max_size=300))
def test_rubbish_is_no_frame(rubbish: bytes) -> None:
    try:
        found = read_frame(io.BytesIO(rubbish))
    except FrameError:
        return
    assert found is not None and isinstance(found[0]["kind"], str)


@given(headers, st.binary(max_size=50), st.data())
def test_a_frame_that_was_cut_is_no_frame(header: dict[str, Any], payload: bytes, data: st.DataObject) -> None:
    whole = frame(header, payload)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError, match="ended inside"):
        read_frame(io.BytesIO(whole[:cut]))


@pytest.mark.parametrize("encoded", [b"[]", b"3", b"null", b"{}", b'{"kind": 1}', b"{", b"\xff\xfe", b'"kind"', b""])
def test_a_header_that_is_none(encoded: bytes) -> None:
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(FRAME_PREFIX.pack(len(encoded), 0) + encoded))


@pytest.mark.parametrize("lengths", [(MAX_HEADER_BYTES + 1, 0), (2, MAX_PAYLOAD_BYTES + 1), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_lengths_that_no_frame_has_are_not_read(lengths: tuple[int, int]) -> None:
    with pytest.raises(FrameError, match="not one of ours"):
        read_frame(io.BytesIO(FRAME_PREFIX.pack(*lengths)))


def test_what_a_library_prints_is_no_frame() -> None:
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(b"Warning: something is deprecated\n"))


def test_deep_json_is_no_frame() -> None:
    encoded = b'{"kind": "chunk", "words": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(FRAME_PREFIX.pack(len(encoded), 0) + encoded))


def test_headers_are_ascii_on_the_wire() -> None:
    assert frame({"kind": "こ\ud800"})[8:].isascii()
    assert json.loads(frame({"kind": "こ\ud800"})[8:]) == {"kind": "こ\ud800"}
