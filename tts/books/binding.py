"""Binds a spoken book: one file of any format, with title, author, chapters and cover where it can hold them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.stream import Disposition, Stream

from tts.speech.audio import SAMPLE_RATE, Chunk, clip, to_pcm, write_wav
from tts.speech.encoding import CODECS

GENRE = "Audiobook"
AUDIOBOOK = "2"
"""iTunes' media type ("stik"): players put the file on the shelf of books, and remember the place in it."""


@dataclass(frozen=True)
class Mark:
    """Where a chapter begins and ends, in samples."""

    title: str
    start: int
    end: int


@dataclass(frozen=True)
class Cover:
    """What stands on the outside: words, and a picture (JPEG)."""

    title: str
    author: str
    picture: bytes | None = None


@dataclass(frozen=True)
class Binding:
    """A format's container and codec; `pictured` when it can hold a picture."""

    container: str
    codec: str
    pictured: bool
    options: tuple[tuple[str, str], ...] = ()


BINDINGS = {
    "mp3": Binding("mp3", "mp3", True, (("id3v2_version", "3"),)),
    "opus": Binding("ogg", "opus", False),
    "flac": Binding("flac", "flac", True),
    # FFmpeg's "ipod" is this with another brand, but takes no JPEG. The index in front: players begin at once.
    "m4b": Binding("mp4", "aac", True, (("movflags", "+faststart"), ("brand", "M4B "))),
}


def bind(path: Path, format: str, chunks: Iterable[Chunk], marks: Iterable[Mark], cover: Cover) -> None:
    """Write the book to `path`, whole or not at all. Raises OSError, and what `chunks` raises."""
    part = path.with_name(f"{path.name}.part")
    try:
        if format == "wav":
            write_wav(part, chunks)
        else:
            _encode(part, BINDINGS[format], chunks, marks, cover)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _encode(path: Path, binding: Binding, chunks: Iterable[Chunk], marks: Iterable[Mark], cover: Cover) -> None:
    with av.open(str(path), "w", format=binding.container, options=dict(binding.options)) as container:
        container.metadata.update(_words(cover, binding))
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": mark.start,
                    "end": mark.end,
                    "time_base": Fraction(1, SAMPLE_RATE),
                    "metadata": {"title": mark.title},
                }
                for number, mark in enumerate(marks)
            ]
        )
        stream = _sound_stream(container, binding)
        picture = _picture_packet(container, cover.picture) if cover.picture and binding.pictured else None
        container.start_encoding()
        if picture is not None:
            container.mux(picture)
        fed = 0
        for chunk in chunks:
            if len(chunk.samples):
                container.mux(stream.encode(_frame(chunk, stream, fed)))
                fed += len(chunk.samples)
        container.mux(stream.encode(None))


def _words(cover: Cover, binding: Binding) -> dict[str, str]:
    words = {"title": cover.title, "album": cover.title, "genre": GENRE}
    if cover.author:
        words |= {"artist": cover.author, "album_artist": cover.author}
    return words | ({"media_type": AUDIOBOOK} if binding.container == "mp4" else {})


def _sound_stream(container: OutputContainer, binding: Binding) -> av.AudioStream:
    codec = CODECS[binding.codec]
    stream = container.add_stream(codec.encoder, SAMPLE_RATE, dict(codec.encoder_options))
    assert isinstance(stream, av.AudioStream)  # add_stream's type names every kind
    stream.layout, stream.format = "mono", codec.sample_type
    stream.bit_rate = codec.bit_rate
    return stream


def _picture_packet(container: OutputContainer, picture: bytes) -> av.Packet[Stream]:
    with av.open(io.BytesIO(picture), "r") as file:
        sizes = file.streams.video[0]
        stream = container.add_mux_stream("mjpeg", width=sizes.width, height=sizes.height)
    stream.disposition = Disposition.attached_pic
    packet = av.Packet(picture)
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90_000)
    packet.is_keyframe = True
    return packet


def _frame(chunk: Chunk, stream: av.AudioStream, fed: int) -> av.AudioFrame:
    values = to_pcm(chunk.samples) if stream.format.name == "s16" else clip(chunk.samples)
    frame = av.AudioFrame.from_ndarray(values[np.newaxis], stream.format.name, "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, fed, Fraction(1, SAMPLE_RATE)
    return frame
