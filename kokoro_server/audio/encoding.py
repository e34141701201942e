"""Encode chunks of audio into one container while they are still being synthesized.

`encode_stream` yields bytes chunk by chunk for every format. PCM and WAV are written directly; MP3, Opus, AAC and FLAC
go through FFmpeg's encoders (PyAV) and a muxer that writes to an unseekable queue. Chunks are resampled first if the
requested rate differs from SAMPLE_RATE. An encoder belongs to one response and is not thread-safe.
"""

import io
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

import av
import numpy as np
import soxr  # type: ignore[import-untyped]

from kokoro_server.audio.samples import (
    FORMATS,
    PCM_FULL_SCALE,
    SAMPLE_RATE,
    Chunk,
    Samples,
    build_wav_header,
    clip_samples,
    to_pcm,
)

QUIET_PEAK = 0.01  # -40 dBFS peak: Kokoro's output is below -60 dBFS before the first word
NO_SAMPLES: Samples = np.zeros(0, np.float32)


def encode_stream(chunks: Iterable[Chunk], format: str, sample_rate: int = SAMPLE_RATE) -> Generator[bytes, None, None]:
    """Encode chunks as one container, and yield its bytes chunk by chunk; closing the generator frees the encoder.

    Args:
        chunks: Samples at SAMPLE_RATE; an error that the iterator raises passes through.
        format: A key of FORMATS.
        sample_rate: Wanted rate in Hz; `Format.choose_rate` gives the one that is used.

    Raises:
        KeyError: If the format is unknown.
    """
    rate = FORMATS[format].choose_rate(sample_rate)
    blocks = _resample(chunks, rate)
    if format in CODECS:
        return _encode_blocks(blocks, CODECS[format], rate)
    return _encode_pcm(blocks, build_wav_header(rate) if format == "wav" else b"")


def encode_file(chunks: Iterable[Chunk], format: str, sample_rate: int = SAMPLE_RATE) -> bytes:
    """Encode chunks as one complete file; unlike `encode_stream`, WAV and FLAC headers hold the true length."""
    rate = FORMATS[format].choose_rate(sample_rate)
    if format == "flac":
        return _encode_flac_file(_resample(chunks, rate), rate)
    # The header of a WAV file needs the length of the data, so encode that first.
    sound = b"".join(encode_stream(chunks, "pcm" if format == "wav" else format, sample_rate))
    return build_wav_header(rate, len(sound)) + sound if format == "wav" else sound


def decode_flac(data: bytes) -> Samples:
    """Decode a mono FLAC file at SAMPLE_RATE to float32 samples [n]. Raises ValueError if it is not a FLAC file."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    except (av.FFmpegError, IndexError) as exc:  # IndexError: a file of another kind without an audio stream
        raise ValueError(f"{len(data)} bytes are no FLAC file: {exc}") from exc
    return np.concatenate(blocks or [np.zeros(0, np.int16)]).astype(np.float32) / np.float32(PCM_FULL_SCALE)


def _encode_pcm(blocks: Iterable[Samples], header: bytes) -> Generator[bytes, None, None]:
    if header:
        yield header
    yield from (to_pcm(block).tobytes() for block in blocks if len(block))


def _resample(chunks: Iterable[Chunk], rate: int) -> Iterator[Samples]:
    """Yield samples at `rate`, one block per chunk; the filter's state carries over from chunk to chunk."""
    if rate == SAMPLE_RATE:
        yield from (chunk.samples for chunk in chunks)
        return
    stream = soxr.ResampleStream(SAMPLE_RATE, rate, num_channels=1, dtype="float32")
    for chunk in chunks:
        yield stream.resample_chunk(
            clip_samples(chunk.samples)
        )  # the filter would spread one NaN over all later samples
    yield stream.resample_chunk(NO_SAMPLES, last=True)


@dataclass(frozen=True)
class Codec:
    """Configure FFmpeg for a compressed format.

    `bit_rate` is in bits per second, 0 for a lossless codec. `priming_samples` is the number of samples that the
    encoder puts before the audio and that the container cannot mark as such (FFmpeg's `initial_padding`).
    `needs_frames` says whether a container without any frame is invalid.
    """

    encoder: str
    container: str
    sample_type: str
    bit_rate: int = 0
    priming_samples: int = 0
    needs_frames: bool = True
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        # Level 7 of LAME's 0 to 9: half the work of 5 and, at this bit rate, no larger error.
        # No Xing frame: if a client concatenates two files, it would state the length of the first one only.
        # No bit reservoir: after a concatenation or a cut, frames must not refer to earlier frames.
        "mp3": Codec(
            *("libmp3lame", "mp3", "fltp"),
            bit_rate=96_000,
            priming_samples=1_105,
            encoder_options={"reservoir": "0", "compression_level": "7"},
            container_options={"write_xing": "0", "id3v2_version": "0"},
        ),
        # The muxer holds a page back until it is full; short pages (in microseconds) keep the latency low.
        "opus": Codec("libopus", "ogg", "flt", bit_rate=64_000, container_options={"page_duration": "60000"}),
        # A third of the work of "twoloop", FFmpeg's default, with a smaller error.
        "aac": Codec(
            "aac", "adts", "fltp", bit_rate=96_000, priming_samples=1_024, encoder_options={"aac_coder": "fast"}
        ),
        "flac": Codec("flac", "flac", "s16", needs_frames=False, container_options={"metadata_header_padding": "0"}),
    }
)


class _ByteQueue:
    """Queue the bytes that a muxer writes; it cannot seek, so the muxer never rewrites a header."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        """Append `data`; called by the muxer."""
        self._buffer += data
        return len(data)

    def drain(self) -> Iterator[bytes]:
        """Yield the bytes written since the last call, if any: an empty piece could end a chunked response."""
        if self._buffer:
            taken, self._buffer = bytes(self._buffer), bytearray()
            yield taken


class _Encoder:
    """Run FFmpeg's encoder and muxer for one response; `file` holds the complete container after closing."""

    def __init__(self, codec: Codec, rate: int, file: _ByteQueue | io.BytesIO) -> None:
        self._codec = codec
        self._rate = rate
        self._samples_written = 0
        self._packets_to_drop = 0
        options = dict(codec.container_options)
        self._container = av.open(file, "w", format=codec.container, options=options)
        self._stream = self._open_stream()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._container.close()

    def write_samples(self, samples: Samples) -> None:
        """Encode samples [n] and write every packet that they complete."""
        if not len(samples):
            return
        if not self._samples_written:
            self._packets_to_drop = self._count_priming_packets(samples)
        values = to_pcm(samples) if self._codec.sample_type == "s16" else clip_samples(samples)
        frame = av.AudioFrame.from_ndarray(values[np.newaxis], self._codec.sample_type, "mono")
        frame.sample_rate, frame.pts = self._rate, self._samples_written  # time base: one sample
        self._samples_written += len(samples)
        self._mux(self._stream.encode(frame))

    def flush(self) -> None:
        """Write the encoder's last packets; a file that would be invalid without a frame gets one of silence."""
        if not self._samples_written and self._codec.needs_frames:
            self.write_samples(np.zeros(self._stream.frame_size, np.float32))
        self._mux(self._stream.encode(None))

    def _open_stream(self) -> av.AudioStream:
        options = dict(self._codec.encoder_options)
        stream = self._container.add_stream(self._codec.encoder, self._rate, options)
        assert isinstance(stream, av.AudioStream)  # add_stream is typed for every kind of stream
        stream.layout, stream.format = "mono", self._codec.sample_type
        stream.bit_rate = self._codec.bit_rate
        self._container.start_encoding()
        return stream

    def _count_priming_packets(self, start: Samples) -> int:
        """Return how many packets at the start to drop, so that the output is as long as the input.

        The dropped packets hold the encoder's priming samples. The first packet that is kept overlaps with a dropped
        one and so fades in with a mirror image of itself (MDCT aliasing). That is inaudible if `start` is quiet there;
        otherwise, or if `start` is shorter, nothing is dropped.
        """
        packets = round(self._codec.priming_samples / self._stream.frame_size)
        covered = packets * self._stream.frame_size
        quiet = len(start) > covered and np.abs(start[:covered]).max(initial=0.0) < QUIET_PEAK
        return packets if quiet else 0

    def _mux(self, packets: list["av.Packet[av.AudioStream]"]) -> None:
        left_out = min(self._packets_to_drop, len(packets))
        self._packets_to_drop -= left_out
        self._container.mux(packets[left_out:])


def _encode_blocks(blocks: Iterable[Samples], codec: Codec, rate: int) -> Generator[bytes, None, None]:
    pipe = _ByteQueue()
    with _Encoder(codec, rate, pipe) as encoder:
        for block in blocks:
            encoder.write_samples(block)
            yield from pipe.drain()
        encoder.flush()
    yield from pipe.drain()


def _encode_flac_file(blocks: Iterable[Samples], rate: int) -> bytes:
    # In a seekable file, FFmpeg writes the number of samples and the MD5 into the header at the end.
    file = io.BytesIO()
    with _Encoder(CODECS["flac"], rate, file) as encoder:
        for block in blocks:
            encoder.write_samples(block)
        encoder.flush()
    return file.getvalue()
