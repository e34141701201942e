import gc
import io
import wave
from collections.abc import Iterator

import av.container
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kokoro_server.audio.encoding import encode_file, encode_stream
from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE, Chunk, Samples, to_pcm
from tests.sounds import cut, decode, likeness, speechlike

FRAME = {"wav": 1, "pcm": 1, "flac": 1, "opus": 1, "aac": 1_024, "mp3": 576}  # samples, at 24 kHz
LOSSLESS = ("wav", "pcm", "flac")
RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000)

every_format = pytest.mark.parametrize("format", FORMATS)


def excess(samples: Samples, format: str) -> float:
    """How much longer (in samples at 24 kHz) the decoded sound is than what was sent in uneven pieces."""
    heard, rate = decode(b"".join(encode_stream(cut(samples, 70_001), format)), format)
    return len(heard) * SAMPLE_RATE / rate - len(samples)


@every_format
@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.345])
def test_length_is_right_within_a_frame(format: str, seconds: float) -> None:
    assert abs(excess(speechlike(seconds), format)) < FRAME[format]


@every_format
def test_length_of_five_minutes(format: str) -> None:
    mostly_quiet = np.tile(speechlike(7.5, head=6.5), 40)  # half the work, and as long
    assert abs(excess(mostly_quiet, format)) < FRAME[format]


@every_format
@pytest.mark.parametrize("head", [0.25, 0.0])
def test_sound_is_whole(format: str, head: float) -> None:
    samples = speechlike(1.5, head)
    heard, rate = decode(encode_file([Chunk(samples)], format), format)
    heard = heard[:: rate // SAMPLE_RATE]
    run_up = {"aac": 1_024, "mp3": 1_105}.get(format, 0)
    if head:  # the run-up is left out in whole frames
        run_up -= round(run_up / FRAME[format]) * FRAME[format]
    heard = heard[run_up:] if run_up >= 0 else np.pad(heard, (-run_up, 0))
    assert len(heard) >= len(samples)
    assert likeness(heard, samples) > (0.9999 if format in LOSSLESS else 0.97)
    assert likeness(heard[len(samples) - 1_200 :], samples[-1_200:]) > 0.9


@every_format
@pytest.mark.parametrize("sample_rate", RATES)
def test_other_rates(format: str, sample_rate: int) -> None:
    samples = speechlike(1.2)
    data = b"".join(encode_stream(cut(samples, 9_000), format, sample_rate))
    rate = FORMATS[format].choose_rate(sample_rate)
    heard, heard_rate = decode(data, format, rate)
    assert heard_rate == (48_000 if format == "opus" else rate)
    frame = 1_152 if format == "mp3" and rate >= 32_000 else FRAME[format]
    assert abs(len(heard) - 1.2 * heard_rate) <= frame + (1 if format == "opus" else 0)


@every_format
def test_nothing_to_say_is_still_a_file(format: str) -> None:
    whole, streamed = encode_file([], format), b"".join(encode_stream([], format))
    if format == "pcm":
        assert whole == streamed == b""
        return
    for data in (whole, streamed):
        with av.open(io.BytesIO(data)) as container:
            heard = sum(frame.samples * SAMPLE_RATE / frame.sample_rate for frame in container.decode(audio=0))  # type: ignore[misc, union-attr]
        assert heard <= 3 * 1_024


@every_format
@pytest.mark.parametrize("length", [1, 24, 1_000])
def test_a_moment_of_sound(format: str, length: int) -> None:
    heard, rate = decode(encode_file([Chunk(np.full(length, 0.2, np.float32))], format), format)
    assert length <= len(heard) * SAMPLE_RATE / rate <= length + 3 * FRAME[format]


@every_format
@pytest.mark.parametrize("length", [9_600, 4 * 2_304])  # the second is whole frames of FLAC
def test_empty_chunks_send_no_empty_pieces(format: str, length: int) -> None:
    empty = Chunk(np.zeros(0, np.float32))
    sound = cut(speechlike(1.0)[:length], 3_000)
    pieces = list(encode_stream([empty, *sound[:2], empty, *sound[2:], empty], format))
    assert all(pieces)
    assert len(b"".join(pieces)) == len(b"".join(encode_stream(sound, format)))


@every_format
def test_too_loud_and_not_a_number_do_no_harm(format: str) -> None:
    samples = 9 * speechlike(0.5, head=0.0)
    samples[1_000:1_100] = np.nan
    samples[2_000:2_010] = np.inf
    heard, _ = decode(encode_file([Chunk(samples)], format), format)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() < 1.5
    if format in LOSSLESS:
        assert np.all(heard * np.sign(np.nan_to_num(samples)) >= 0)


@every_format
def test_sound_leaves_before_the_next_chunk_is_made(format: str) -> None:
    made = 0

    def chunks() -> Iterator[Chunk]:
        nonlocal made
        for chunk in cut(speechlike(3.0), SAMPLE_RATE):
            made += 1
            yield chunk

    pieces = encode_stream(chunks(), format)
    data = b""
    while made < 2:
        before, data = data, data + next(pieces)
    pieces.close()
    heard, rate = decode(before, format)
    assert len(heard) / rate > 1.0 - 0.2


@every_format
def test_leaving_early_frees_the_encoder(format: str) -> None:
    def alive() -> int:
        return sum(isinstance(thing, av.container.OutputContainer) for thing in gc.get_objects())

    gc.collect()
    before = alive()
    pieces = encode_stream(cut(speechlike(2.0), 4_000), format)
    for _ in range(3):
        next(pieces)
    assert alive() == before + (format not in ("wav", "pcm"))
    pieces.close()
    assert alive() == before
    assert next(pieces, None) is None


@given(st.lists(st.integers(0, 5_000), max_size=6), st.sampled_from(["wav", "pcm", "flac", "mp3", "aac"]))
@settings(max_examples=40, deadline=None)
def test_cuts_do_not_change_the_sound(lengths: list[int], format: str) -> None:
    """Where a lossy encoder saw enough of the start. Ogg carries a serial number of its own in every file."""
    samples = speechlike(1.0)
    edges = np.cumsum([1_200, *lengths])
    pieces = [Chunk(part) for part in np.split(samples, edges)]
    assert encode_file(pieces, format) == encode_file([Chunk(samples)], format)


def test_wav_streams_after_a_whole_header() -> None:
    samples = speechlike(0.5)
    pieces = list(encode_stream(cut(samples, 5_000), "wav"))
    assert len(pieces[0]) == 44
    data = b"".join(pieces)
    assert data[44:] == to_pcm(samples).tobytes()
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:3] == (1, 2, SAMPLE_RATE)
        assert len(file.readframes(10**6)) == 2 * len(samples)
    heard, rate = soundfile.read(io.BytesIO(data))
    assert (len(heard), rate) == (len(samples), SAMPLE_RATE)


@pytest.mark.parametrize("sample_rate", [SAMPLE_RATE, 16_000])
def test_whole_wav_tells_its_length(sample_rate: int) -> None:
    data = encode_file(cut(speechlike(0.5), 5_000), "wav", sample_rate)
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (1, 2, sample_rate, sample_rate // 2)
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


def test_whole_flac_tells_its_length() -> None:
    info = soundfile.info(io.BytesIO(encode_file(cut(speechlike(0.5), 5_000), "flac")))
    assert (info.frames, info.samplerate) == (SAMPLE_RATE // 2, SAMPLE_RATE)


@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 44_100])
def test_mp3_is_bare_frames(sample_rate: int) -> None:
    data = encode_file(cut(speechlike(2.0), 5_000), "mp3", sample_rate)
    assert data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    assert not any(mark in data for mark in (b"Xing", b"Info", b"ID3", b"TAG"))
    assert len(data) * 8 / 2.0 >= 64_000 * 0.97


def test_mp3_frames_stand_alone() -> None:
    """Each says that its sound begins in itself: the byte after the header, in MPEG-2 Layer III."""
    data = encode_file(cut(speechlike(2.0), 5_000), "mp3")
    size = 96_000 // 8 * 576 // SAMPLE_RATE
    assert len(data) % size == 0
    assert {data[start] for start in range(0, len(data), size)} == {0xFF}
    assert {data[start + 4] for start in range(0, len(data), size)} == {0}


def test_mp3s_in_a_row_play_one_after_the_other() -> None:
    first, second = speechlike(1.0, seed=1), speechlike(1.5, seed=2)
    files = [b"".join(encode_stream([Chunk(samples)], "mp3")) for samples in (first, second)]
    lengths = [len(decode(file, "mp3")[0]) for file in files]
    heard, _ = decode(b"".join(files), "mp3")
    assert len(heard) == sum(lengths)
    assert likeness(heard[: lengths[0]], np.pad(first, (0, 99))[47:]) > 0.97
    assert likeness(heard[lengths[0] :], second[47:]) > 0.97


@every_format
def test_a_fault_cuts_the_sound_short(format: str) -> None:
    def chunks() -> Iterator[Chunk]:
        yield Chunk(speechlike(0.5))
        raise OSError("the worker has gone")

    with pytest.raises(OSError, match="the worker has gone"):
        list(encode_stream(chunks(), format))


def test_unknown_format_is_noticed_at_once() -> None:
    with pytest.raises(KeyError, match="ogg"):
        encode_stream([], "ogg")
