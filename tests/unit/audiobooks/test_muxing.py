"""Audiobooks as players see them, and the captions that go with them."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.audiobooks.book_captions import render_book_captions
from kokoro_server.audiobooks.formats.book import Chapter
from kokoro_server.audiobooks.formats.cover import as_jpeg
from kokoro_server.audiobooks.jobs import BOOK_FORMATS, Segment, SegmentPlan, WordTiming
from kokoro_server.audiobooks.muxing import AudiobookTags, ChapterMark, mux_audiobook
from tests import documents

MARKS = [ChapterMark("One — ü", 0, 2 * SAMPLE_RATE), ChapterMark("Two", 2 * SAMPLE_RATE, 3 * SAMPLE_RATE)]


def tone(seconds: float) -> Chunk:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return Chunk((0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32))


@pytest.fixture(scope="module")
def cover() -> AudiobookTags:
    picture = as_jpeg(documents.png(64, 96))
    assert picture is not None
    return AudiobookTags("The Bôok", "Ann Author", picture)


@pytest.mark.parametrize("format", BOOK_FORMATS)
def test_a_bound_book_plays_whole(tmp_path: Path, cover: AudiobookTags, format: str) -> None:
    path = tmp_path / f"book.{format}"
    mux_audiobook(path, format, iter([tone(1.0), Chunk(np.zeros(0, np.float32)), tone(2.0)]), MARKS, cover)
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
        rate = file.streams.audio[0].rate
    heard = np.concatenate([frame.reshape(-1) for frame in frames])
    assert len(heard) / rate == pytest.approx(3.0, abs=0.05)
    assert np.abs(heard.astype(np.float64)).max() > 0.4 * (32_767 if heard.dtype == np.int16 else 1)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", ["m4b", "mp3", "opus"])
def test_chapters_are_read_back(tmp_path: Path, cover: AudiobookTags, format: str) -> None:
    mux_audiobook(tmp_path / "book", format, [tone(3.0)], MARKS, cover)
    with av.open(str(tmp_path / "book")) as file:
        read = [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in file.chapters()]  # type: ignore[operator]
    assert read == [("One — ü", 0.0), ("Two", 2.0)]


@pytest.mark.parametrize("format", ["m4b", "mp3", "flac", "opus"])
def test_words_on_the_cover_are_read_back(tmp_path: Path, cover: AudiobookTags, format: str) -> None:
    mux_audiobook(tmp_path / "book", format, [tone(0.5)], [], cover)
    with av.open(str(tmp_path / "book")) as file:
        read = {**file.metadata, **file.streams.audio[0].metadata}
    read = {name.lower(): value for name, value in read.items()}
    assert (read["title"], read["artist"], read["genre"]) == ("The Bôok", "Ann Author", "Audiobook")


@pytest.mark.parametrize("format", ["m4b", "mp3", "flac"])
def test_the_picture_is_read_back(tmp_path: Path, cover: AudiobookTags, format: str) -> None:
    mux_audiobook(tmp_path / "book", format, [tone(0.5)], MARKS, cover)
    with av.open(str(tmp_path / "book")) as file:
        (picture,) = file.streams.video
        assert (picture.codec.name, picture.width, picture.height) == ("mjpeg", 64, 96)
        assert picture.disposition == Disposition.attached_pic


def test_an_m4b_says_so_and_begins_with_its_index(tmp_path: Path, cover: AudiobookTags) -> None:
    mux_audiobook(tmp_path / "book", "m4b", [tone(3.0)], MARKS, cover)
    data = (tmp_path / "book").read_bytes()
    assert data[4:12] == b"ftypM4B "
    assert data.index(b"moov") < data.index(b"mdat")


def test_nothing_is_left_of_a_binding_that_fails(tmp_path: Path, cover: AudiobookTags) -> None:
    with pytest.raises(ZeroDivisionError):
        mux_audiobook(tmp_path / "book", "mp3", (tone(1 / n) for n in (1, 2, 0)), [], cover)
    assert list(tmp_path.iterdir()) == []


TEXT = "Fish & <chips> are eaten here, in great numbers, by everyone who comes. Nobody leaves hungry, ever."


def segment(number: int, chapter: int, text: str, seconds: float, words: tuple[WordTiming, ...] = ()) -> Segment:
    return Segment(SegmentPlan(number, chapter, 0, len(text), 0.0), 0, 1, round(seconds * SAMPLE_RATE), words)


def test_captions_follow_the_words() -> None:
    at = TEXT.index("Nobody")
    words = (WordTiming(0, 4, 0.1, 0.4), WordTiming(at - 6, at - 2, 4.0, 4.5), WordTiming(at, len(TEXT) - 1, 5.0, 7.25))
    segments = [segment(0, 0, "Hi.", 3600.0), segment(1, 1, TEXT, 8.0, words)]
    assert render_book_captions([Chapter("", "Hi."), Chapter("", TEXT)], segments, "vtt").split("\n\n") == [
        "WEBVTT",
        "1\n00:00:00.000 --> 01:00:00.000\nHi.",
        "2\n01:00:00.100 --> 01:00:04.500\n"
        "Fish &amp; &lt;chips> are eaten here, in great numbers, by everyone who comes.",
        "3\n01:00:05.000 --> 01:00:07.250\nNobody leaves hungry, ever.\n",
    ]


def test_captions_without_words_share_the_time_by_characters() -> None:
    text = render_book_captions([Chapter("", TEXT)], [segment(0, 0, TEXT, len(TEXT) / 10)], "srt")
    assert text.startswith("1\n00:00:00,000 --> 00:00:07,100\nFish & ")
    assert f"00:00:07,200 --> 00:00:0{len(TEXT) / 10:.3f}".replace(".", ",") + "\nNobody" in text
