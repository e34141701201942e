"""Chunks of sound in, bytes of one container out, while the sound is still being made."""

import io
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

import av
import numpy as np
import soxr  # type: ignore[import-untyped]

from tts.speech.audio import FORMATS, PCM_PEAK, SAMPLE_RATE, Chunk, Samples, clip, to_pcm, wav_header

QUIET = 0.01  # -40 dBFS: Kokoro is below -60 dBFS before it speaks
NOTHING: Samples = np.zeros(0, np.float32)


def encode(chunks: Iterable[Chunk], format: str, sample_rate: int = SAMPLE_RATE) -> Generator[bytes, None, None]:
    """One container, its bytes leaving chunk by chunk; close it early and the encoder is freed.

    The rate (Hz) is the nearest one at or above `sample_rate` that the format can hold.
    Raises KeyError for a format that is not in FORMATS.
    """
    rate = FORMATS[format].rate_for(sample_rate)
    blocks = _resample(chunks, rate)
    if format in CODECS:
        return _compress(blocks, CODECS[format], rate)
    return _write_pcm(blocks, wav_header(rate) if format == "wav" else b"")


def encode_whole(chunks: Iterable[Chunk], format: str, sample_rate: int = SAMPLE_RATE) -> bytes:
    """The same container at once, its header telling the true length where that format's header has one."""
    rate = FORMATS[format].rate_for(sample_rate)
    if format == "flac":
        return _seekable_flac(_resample(chunks, rate), rate)
    sound = b"".join(encode(chunks, "pcm" if format == "wav" else format, sample_rate))
    return wav_header(rate, len(sound)) + sound if format == "wav" else sound


def decode_flac(data: bytes) -> Samples:
    """The samples [n] of a mono FLAC file at SAMPLE_RATE. Raises ValueError when it is none."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    except (av.FFmpegError, IndexError) as exc:  # the latter where a file of another kind has no sound at all
        raise ValueError(f"{len(data)} bytes are no FLAC file: {exc}") from exc
    return np.concatenate(blocks or [np.zeros(0, np.int16)]).astype(np.float32) / np.float32(PCM_PEAK)


def _write_pcm(blocks: Iterable[Samples], header: bytes) -> Generator[bytes, None, None]:
    if header:
        yield header
    yield from (to_pcm(block).tobytes() for block in blocks if len(block))


def _resample(chunks: Iterable[Chunk], rate: int) -> Iterator[Samples]:
    """Samples at `rate`, one block a chunk, filtered across the seams."""
    if rate == SAMPLE_RATE:
        yield from (chunk.samples for chunk in chunks)
        return
    stream = soxr.ResampleStream(SAMPLE_RATE, rate, num_channels=1, dtype="float32")
    for chunk in chunks:
        yield stream.resample_chunk(clip(chunk.samples))  # one value that is no number would spoil the rest
    yield stream.resample_chunk(NOTHING, last=True)


@dataclass(frozen=True)
class Codec:
    """How FFmpeg makes a compressed format.

    `run_up` counts the samples that an encoder puts before the sound and its container cannot mark as such
    (FFmpeg's `initial_padding`); without `needs_sound` a container that holds no frame at all is valid.
    """

    encoder: str
    container: str
    sample_type: str
    bit_rate: int = 0
    run_up: int = 0
    needs_sound: bool = True
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        # Level 7 of LAME's 0 to 9: half the work of 5 and, at this rate, no farther from the sound.
        # No Xing frame: it would state the length of the first of two files that a client put in a row.
        # No bit reservoir: the second of them, and every frame after a cut, must not lean on earlier frames.
        "mp3": Codec(
            *("libmp3lame", "mp3", "fltp"),
            bit_rate=96_000,
            run_up=1_105,
            encoder_options={"reservoir": "0", "compression_level": "7"},
            container_options={"write_xing": "0", "id3v2_version": "0"},
        ),
        # A page is held back until the next one is full, so short pages (in microseconds).
        "opus": Codec("libopus", "ogg", "flt", bit_rate=64_000, container_options={"page_duration": "60000"}),
        # A third of the work of "twoloop", FFmpeg's default, and nearer to the sound.
        "aac": Codec("aac", "adts", "fltp", bit_rate=96_000, run_up=1_024, encoder_options={"aac_coder": "fast"}),
        "flac": Codec("flac", "flac", "s16", needs_sound=False, container_options={"metadata_header_padding": "0"}),
    }
)


class _Pipe:
    """What a muxer writes into; it cannot seek, so headers are written once and never returned to."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> Iterator[bytes]:
        """What has come in since the last time, if anything: an empty piece could end a chunked response."""
        if self._waiting:
            taken, self._waiting = bytes(self._waiting), bytearray()
            yield taken


class _Encoder:
    """FFmpeg's encoder and muxer for one response; `file` holds the whole container once this is closed."""

    def __init__(self, codec: Codec, rate: int, file: _Pipe | io.BytesIO) -> None:
        self._codec = codec
        self._rate = rate
        self._fed = 0
        self._unwanted = 0
        options = dict(codec.container_options)
        self._container = av.open(file, "w", format=codec.container, options=options)
        self._stream = self._open_stream()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._container.close()

    def feed(self, samples: Samples) -> None:
        """Take samples [n] and write every packet that they complete."""
        if not len(samples):
            return
        if not self._fed:
            self._unwanted = self._inaudible_packets(samples)
        values = to_pcm(samples) if self._codec.sample_type == "s16" else clip(samples)
        frame = av.AudioFrame.from_ndarray(values[np.newaxis], self._codec.sample_type, "mono")
        frame.sample_rate, frame.pts = self._rate, self._fed
        self._fed += len(samples)
        self._write(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds; a container that would be invalid gets a frame of silence."""
        if not self._fed and self._codec.needs_sound:
            self.feed(np.zeros(self._stream.frame_size, np.float32))
        self._write(self._stream.encode(None))

    def _open_stream(self) -> av.AudioStream:
        options = dict(self._codec.encoder_options)
        stream = self._container.add_stream(self._codec.encoder, self._rate, options)
        assert isinstance(stream, av.AudioStream)  # add_stream's type names every kind
        stream.layout, stream.format = "mono", self._codec.sample_type
        stream.bit_rate = self._codec.bit_rate
        self._container.start_encoding()
        return stream

    def _inaudible_packets(self, start: Samples) -> int:
        """How many packets at the start to leave out, so that the sound comes out as long as it went in.

        The first packet that is kept then lacks the one that it overlaps: it fades in with a mirror image of
        itself. Nobody hears that where the speech has not begun; a sound that starts at once, or that is
        shorter than that, keeps its run-up instead.
        """
        packets = round(self._codec.run_up / self._stream.frame_size)
        covered = packets * self._stream.frame_size
        quiet = len(start) > covered and np.abs(start[:covered]).max(initial=0.0) < QUIET
        return packets if quiet else 0

    def _write(self, packets: list["av.Packet[av.AudioStream]"]) -> None:
        left_out = min(self._unwanted, len(packets))
        self._unwanted -= left_out
        self._container.mux(packets[left_out:])


def _compress(blocks: Iterable[Samples], codec: Codec, rate: int) -> Generator[bytes, None, None]:
    pipe = _Pipe()
    with _Encoder(codec, rate, pipe) as encoder:
        for block in blocks:
            encoder.feed(block)
            yield from pipe.take()
        encoder.finish()
    yield from pipe.take()


def _seekable_flac(blocks: Iterable[Samples], rate: int) -> bytes:
    file = io.BytesIO()
    with _Encoder(CODECS["flac"], rate, file) as encoder:
        for block in blocks:
            encoder.feed(block)
        encoder.finish()
    return file.getvalue()
