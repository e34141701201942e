"""Encode an audiobook and mux it into one file, with the title, author, chapters and cover that the format can hold.

PyAV (FFmpeg's libraries) writes every format except WAV: set tags and chapters on the container, add an audio stream
and, where the container takes one, a one-frame MJPEG stream with the cover, then encode chunk by chunk. Memory use does
not depend on the length of the book.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.stream import Disposition, Stream

from kokoro_server.audio.encoding import CODECS
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, clip_samples, to_pcm, write_wav

GENRE = "Audiobook"
AUDIOBOOK_MEDIA_TYPE = "2"
"""Value of iTunes' media type tag ("stik") for audiobooks: players list the file under books and remember the position
in it."""


@dataclass(frozen=True)
class ChapterMark:
    """Mark a chapter: its first sample, and the sample after its last one, at SAMPLE_RATE."""

    title: str
    start: int
    end: int


@dataclass(frozen=True)
class AudiobookTags:
    """Hold the tags of an audiobook: title, author (may be empty) and cover picture (JPEG)."""

    title: str
    author: str
    picture: bytes | None = None


@dataclass(frozen=True)
class ContainerFormat:
    """Describe an output format: FFmpeg's muxer and its options, a key of CODECS, and whether it can hold a cover."""

    container: str
    codec: str
    has_picture: bool
    options: tuple[tuple[str, str], ...] = ()


CONTAINERS = {
    "mp3": ContainerFormat("mp3", "mp3", True, (("id3v2_version", "3"),)),
    "opus": ContainerFormat("ogg", "opus", False),
    "flac": ContainerFormat("flac", "flac", True),
    # FFmpeg's "ipod" muxer differs from "mp4" in the brand only, but accepts no JPEG. "+faststart" puts the index
    # first, so that players can start before the whole file has arrived.
    "m4b": ContainerFormat("mp4", "aac", True, (("movflags", "+faststart"), ("brand", "M4B "))),
}


def mux_audiobook(
    path: Path, format: str, chunks: Iterable[Chunk], chapters: Iterable[ChapterMark], tags: AudiobookTags
) -> None:
    """Write the audiobook to `path` atomically: a partial file never appears under that name.

    Args:
        path: The file to create or replace; `path` plus ".part" is used meanwhile.
        format: "wav" or a key of CONTAINERS.
        chunks: The audio, mono float32 at SAMPLE_RATE; it is consumed chunk by chunk.
        chapters: The chapter marks, in order; WAV has none.
        tags: Title, author and cover.

    Raises:
        OSError: The file cannot be written.
        Exception: Whatever iterating over `chunks` raises.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if format == "wav":
            write_wav(part, chunks)
        else:
            _encode_and_mux(part, CONTAINERS[format], chunks, chapters, tags)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _encode_and_mux(
    path: Path, target: ContainerFormat, chunks: Iterable[Chunk], chapters: Iterable[ChapterMark], tags: AudiobookTags
) -> None:
    with av.open(str(path), "w", format=target.container, options=dict(target.options)) as container:
        container.metadata.update(_build_tags(tags, target))
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": mark.start,
                    "end": mark.end,
                    "time_base": Fraction(1, SAMPLE_RATE),
                    "metadata": {"title": mark.title},
                }
                for number, mark in enumerate(chapters)
            ]
        )
        stream = _add_audio_stream(container, target)
        picture = _make_picture_packet(container, tags.picture) if tags.picture and target.has_picture else None
        container.start_encoding()
        if picture is not None:
            container.mux(picture)
        fed = 0  # samples so far: the timestamp of the next frame
        for chunk in chunks:
            if len(chunk.samples):
                container.mux(stream.encode(_make_frame(chunk, stream, fed)))
                fed += len(chunk.samples)
        container.mux(stream.encode(None))  # None flushes the encoder


def _build_tags(tags: AudiobookTags, target: ContainerFormat) -> dict[str, str]:
    words = {"title": tags.title, "album": tags.title, "genre": GENRE}
    if tags.author:
        words |= {"artist": tags.author, "album_artist": tags.author}
    return words | ({"media_type": AUDIOBOOK_MEDIA_TYPE} if target.container == "mp4" else {})


def _add_audio_stream(container: OutputContainer, target: ContainerFormat) -> av.AudioStream:
    codec = CODECS[target.codec]
    stream = container.add_stream(codec.encoder, SAMPLE_RATE, dict(codec.encoder_options))
    assert isinstance(stream, av.AudioStream)  # add_stream's type names every kind
    stream.layout, stream.format = "mono", codec.sample_type
    stream.bit_rate = codec.bit_rate
    return stream


def _make_picture_packet(container: OutputContainer, picture: bytes) -> av.Packet[Stream]:
    with av.open(io.BytesIO(picture), "r") as file:  # the muxer wants the size in pixels
        sizes = file.streams.video[0]
        stream = container.add_mux_stream("mjpeg", width=sizes.width, height=sizes.height)
    stream.disposition = Disposition.attached_pic
    packet = av.Packet(picture)
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90_000)
    packet.is_keyframe = True
    return packet


def _make_frame(chunk: Chunk, stream: av.AudioStream, position: int) -> av.AudioFrame:
    values = to_pcm(chunk.samples) if stream.format.name == "s16" else clip_samples(chunk.samples)
    frame = av.AudioFrame.from_ndarray(values[np.newaxis], stream.format.name, "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, position, Fraction(1, SAMPLE_RATE)
    return frame
