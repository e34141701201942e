import io
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kokoro_server.audio import samples as audio
from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE, Chunk, Word
from tests.sounds import speechlike

HALF = np.full(SAMPLE_RATE // 2, 0.5, np.float32)


@pytest.mark.parametrize(
    ("format", "wanted", "rate"),
    [
        ("wav", 10_007, 10_007),
        ("pcm", 24_000, 24_000),
        ("mp3", 24_000, 24_000),
        ("mp3", 40_000, 44_100),
        ("aac", 9_000, 11_025),
        ("opus", 22_050, 24_000),
        ("opus", 44_100, 48_000),
        ("opus", 96_000, 48_000),
    ],
)
def test_rate_is_one_that_the_format_holds(format: str, wanted: int, rate: int) -> None:
    assert FORMATS[format].choose_rate(wanted) == rate


def test_formats_are_known_by_their_own_names() -> None:
    assert {name: format.name for name, format in FORMATS.items()} == {name: name for name in FORMATS}
    assert set(FORMATS) == {"wav", "mp3", "opus", "aac", "flac", "pcm"}


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (0.0, 0),
        (1.0, 32_767),
        (-1.0, -32_767),
        (1.1, 32_767),
        (-7.0, -32_767),
        (np.inf, 32_767),
        (-np.inf, -32_767),
        (np.nan, 0),
        (0.5, 16_384),
    ],
)
def test_pcm_clips(sample: float, value: int) -> None:
    assert audio.to_pcm(np.array([sample], np.float32)).tolist() == [value]


@given(arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)))
def test_pcm_never_wraps_round(samples: audio.Samples) -> None:
    pcm = audio.to_pcm(samples)
    assert pcm.dtype == np.dtype("<i2")
    assert not np.any(pcm * np.sign(np.nan_to_num(samples)) < 0)


def test_header_of_unknown_length() -> None:
    header = audio.build_wav_header(SAMPLE_RATE)
    assert len(header) == 44
    assert header[4:8] == header[40:44] == b"\xff\xff\xff\xff"


def test_header_of_a_length_that_no_header_can_hold() -> None:
    assert audio.build_wav_header(data_size=2**32) == audio.build_wav_header()


def test_written_file_opens_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    audio.write_wav(path, [Chunk(HALF), Chunk(HALF[:1])])
    with wave.open(str(path)) as file:
        assert file.getparams()[:4] == (1, 2, SAMPLE_RATE, len(HALF) + 1)
    samples, rate = soundfile.read(io.BytesIO(path.read_bytes()))
    assert rate == SAMPLE_RATE
    assert np.allclose(samples, 0.5, atol=1e-4)
    assert path.stat().st_size == 44 + 2 * (len(HALF) + 1)


def test_join_moves_the_words() -> None:
    hello, world = Word("Hello", 0, 5, 0.1, 0.4), Word("world", 6, 11, 0.0, 0.25)
    joined = audio.join_chunks([Chunk(HALF, (hello,)), Chunk(HALF[:2400]), Chunk(HALF, (world,))])
    assert joined.seconds == pytest.approx(1.1)
    assert joined.words[0] == hello
    assert joined.words[1].start_time == pytest.approx(0.6)
    assert joined.words[1].end_time == pytest.approx(0.85)
    assert (joined.words[1].text, joined.words[1].start, joined.words[1].end) == ("world", 6, 11)


def test_join_of_nothing() -> None:
    assert audio.join_chunks([]).seconds == 0


def run(head: float, speech: audio.Samples, tail: float, noise: float = 3e-4) -> audio.Samples:
    """What the network makes: speech between rests of faint noise."""
    random = np.random.default_rng(1)
    rests = [noise * random.standard_normal(round(s * SAMPLE_RATE)).astype(np.float32) for s in (head, tail)]
    return np.concatenate([rests[0], speech, rests[1]])


@given(
    st.floats(0.0, 0.6),
    st.floats(0.0, 0.8),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sampled_from([0.0, 0.2, 0.5]),
)
def test_trim_keeps_all_speech_between_the_wanted_rests(
    head: float, tail: float, keep_head: float, keep_tail: float
) -> None:
    speech = speechlike(0.4, head=0.0)
    trimmed, cut = audio.trim_silence(run(head, speech, tail), keep_head, keep_tail)
    assert len(trimmed) / SAMPLE_RATE == pytest.approx(keep_head + 0.4 + keep_tail, abs=0.021)
    begin = round((head - cut) * SAMPLE_RATE)
    assert begin / SAMPLE_RATE == pytest.approx(keep_head, abs=0.011)
    kept = trimmed[begin + 200 : begin + len(speech) - 200]  # without the fades of a rest of none
    assert np.allclose(kept, speech[200 : 200 + len(kept)], atol=1e-6)


@pytest.mark.parametrize("level", [0.012, 0.03])
def test_trim_keeps_soft_consonants_at_both_ends(level: float) -> None:
    hiss = np.random.default_rng(2).uniform(-level, level, round(0.12 * SAMPLE_RATE)).astype(np.float32)
    soft = np.concatenate([hiss, 2 * speechlike(0.4, head=0.0), hiss])
    trimmed, cut = audio.trim_silence(run(0.3, soft, 0.5), 0.0, 0.0)
    assert cut == pytest.approx(0.3, abs=0.011)
    assert len(trimmed) >= len(soft)


def test_trim_has_no_click_at_its_ends() -> None:
    speech = speechlike(0.4, head=0.0)
    for run_of_speech in (run(0.3, speech, 0.3), speech):
        trimmed, _ = audio.trim_silence(run_of_speech, 0.02, 0.02)
        assert trimmed[0] == trimmed[-1] == 0.0
        assert np.abs(np.diff(trimmed)).max() <= np.abs(np.diff(speech)).max() * 1.01


@pytest.mark.parametrize("length", [0, 1, 239, 24_000])
def test_trim_leaves_rests_where_nothing_is_said(length: int) -> None:
    trimmed, cut = audio.trim_silence(np.full(length, 1e-4, np.float32), 0.1, 0.2)
    assert len(trimmed) == round(0.3 * SAMPLE_RATE)
    assert cut == pytest.approx(-0.1)


def test_trim_refuses_what_is_no_sound() -> None:
    with pytest.raises(ValueError, match="finite"):
        audio.trim_silence(np.array([0.1, np.nan], np.float32), 0.1, 0.1)


def test_trim_does_not_write_into_the_run() -> None:
    samples = speechlike(0.2, head=0.0)
    before = samples.copy()
    audio.trim_silence(samples, 0.0, 0.0)
    assert np.array_equal(samples, before)
