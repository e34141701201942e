"""The real server on the real network: what it says is heard, all of it, however it is asked and whatever breaks."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from benchmarks.competitors import ROOT, build_native_body
from benchmarks.servers import HttpTarget
from benchmarks.sound import Sound, measure_speech, read_wav
from benchmarks.waiting import until
from kokoro_server.audio.loudness import measure_loudness
from kokoro_server.audio.samples import SAMPLE_RATE
from tests.fakes.sound import decoded
from tests.listening.whisper import transcribe, word_times
from tests.listening.wording import fold_words, word_error_rate

pytestmark = pytest.mark.real

PATIENCE = 300.0
"""Seconds for the longest answer on a busy machine."""

SENTENCES = [
    "The captain folded his old map and waited for the morning tide.",
    "She opened the heavy door, looked across the garden, and smiled.",
    "Nobody in the village had ever heard such a strange and lovely song.",
]
VOICES = ["af_heart", "af_bella", "am_michael", "am_fenrir", "bf_emma", "bm_george"]
ROUTES = ("/synthesize", "/synthesize/stream")
LONG = " ".join(SENTENCES)


class Served:
    """A running server, its temp folder, and a client for it."""

    def __init__(self, server: HttpTarget, folder: Path) -> None:
        self.folder = folder
        self.address = server.address
        self._server = server
        self.client = httpx.Client(base_url=server.address, timeout=PATIENCE)

    def say(self, text: Any, voice: str = "af_heart", route: str = "/synthesize/stream", **fields: Any) -> bytes:
        answer = self.post(route, text=text, voice=voice, **fields)
        assert answer.status_code == 200, answer.text
        return answer.content

    def post(self, route: str, **fields: Any) -> httpx.Response:
        return self.client.post(route, json=fields)

    def workers(self) -> list[psutil.Process]:
        return [
            each
            for each in self._server.list_processes()
            if "kokoro_server.synthesis.worker" in " ".join(each.cmdline())
        ]

    def main(self) -> psutil.Process:
        return self._server.list_processes()[0]

    def ready(self) -> bool:
        status = self.client.get("/health").json()
        return bool(status["ready"] == status["workers"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("output")
    settings = {"KOKORO_HOST": "127.0.0.1", "KOKORO_PORT": "0", "KOKORO_TEMP_DIR": str(folder)}
    settings["KOKORO_DATA_DIR"] = str(folder.with_name("data"))
    command = [sys.executable, "kokoro_tts_api.py"]
    server = HttpTarget("ours", command, "/synthesize/stream", build_native_body, settings, ROOT)
    server.start()
    running = Served(server, folder)
    with running.client:
        yield running
    server.close()


@pytest.mark.parametrize("voice", VOICES)
def test_every_word_is_heard(served: Served, voice: str) -> None:
    sound = served.say(LONG, voice, ROUTES[VOICES.index(voice) % 2])
    speech = measure_speech(sound, len(fold_words(LONG)))
    assert not speech.clipped and not speech.silent
    assert 0.2 <= speech.seconds_per_word <= 0.7
    assert speech.head <= 0.5 and speech.tail <= 0.5
    assert word_error_rate(LONG, transcribe(sound)) <= 0.05
    assert list(served.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "heard"), [("Hi", "hi"), ("Yes.", "yes"), ("Stop!", "stop"), ("Good morning", "good"), ("7", "7")]
)
def test_very_short_texts_come_out_right(served: Served, text: str, heard: str) -> None:
    assert fold_words(transcribe(served.say(text)))[:1] == [heard]


@pytest.mark.parametrize("text", [".", "…", "-", "🎉" * 3, "\u200b.", "(", "   ?   "])
def test_texts_without_a_word_are_no_error(served: Served, text: str) -> None:
    assert measure_speech(served.say(text), 1).seconds < 6


@pytest.mark.parametrize(
    "text",
    [
        "--help me with this, please.",
        '-x "quoted" $(whoami) `ls` @file.txt; rm -rf.',
        "First line.\nSecond line.\r\n\r\nThird one.",
        "Party 🎉🎊 time, مرحبا שלום, and 你好 friends.",
        "a" * 300,
    ],
)
def test_odd_texts_are_spoken_and_leave_nothing(served: Served, text: str) -> None:
    for route in ROUTES:
        assert not measure_speech(served.say(text, route=route), len(text.split())).silent
    assert list(served.folder.iterdir()) == []


def test_four_thousand_characters_are_all_spoken_in_order(served: Served) -> None:
    words = f"{LONG} And then, without a pause, they went on their way. ".split()
    text = " ".join(words * 60)[:4_000].rsplit(" ", 1)[0]
    answer = served.post("/synthesize", text=text, speed=4.0, timestamps=True).json()
    spoken = [text[word["start"] : word["end"]] for word in answer["timestamps"]]
    assert [word.strip(",.") for word in spoken] == [word.strip(",.") for word in text.split()]
    starts = [word["start_time"] for word in answer["timestamps"]]
    assert starts == sorted(starts)


def test_a_text_without_spaces_is_spoken_to_its_end(served: Served) -> None:
    answer = served.post("/synthesize", text="a" * 2_000, speed=4.0, timestamps=True).json()
    words = answer["timestamps"]
    assert words[0]["start"] == 0 and words[-1]["end"] == 2_000


def test_word_times_are_where_the_words_are_heard(served: Served) -> None:
    answer = served.post("/synthesize", text=LONG, timestamps=True).json()
    heard = word_times(base64.b64decode(answer["audio"]))
    ours = {word["word"].lower().strip(",."): word for word in answer["timestamps"]}
    apart = [
        abs(each.start - ours[word]["start_time"])
        for each in heard
        if (word := each.text.lower().strip(" ,.")) in ours and LONG.lower().split().count(word) == 1
    ]
    assert len(apart) > 10
    assert np.median(apart) <= 0.05


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("emoji", "words"), [("named", ["Well", "👍", "done"]), ("silent", ["Well", "done"])])
def test_emoji_are_named_or_silent(served: Served, emoji: str, words: list[str], normalize: bool) -> None:
    body = {"text": "Well 👍 done.", "timestamps": True, "emoji": emoji, "normalize": normalize}
    answer = served.post("/synthesize", **body).json()
    assert [word["word"].strip(".") for word in answer["timestamps"]] == words


def test_a_stream_comes_in_parts_with_natural_rests_between_them(served: Served) -> None:
    text = " ".join(SENTENCES * 4)
    with httpx.stream("POST", f"{served.address}/synthesize/stream", json={"text": text}, timeout=PATIENCE) as answer:
        parts = list(answer.iter_raw())
        assert "Content-Length" not in answer.headers
    samples = read_wav(b"".join(parts)).samples
    assert len(parts) >= 4
    assert all(0.1 <= rest <= 0.7 for rest in _rests(samples))
    assert np.abs(samples[[0, -1]]).max() < 0.001


def _rests(samples: NDArray[np.float32]) -> list[float]:
    """The silences of more than a tenth of a second inside the speech, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return [gap / SAMPLE_RATE for gap in np.diff(loud) if gap > 0.1 * SAMPLE_RATE]


def test_a_worker_killed_while_it_speaks_costs_that_request_time_alone(served: Served) -> None:
    answers: list[int | str] = []

    def ask() -> None:
        try:
            answers.append(len(served.say(" ".join(SENTENCES * 3), stream=False)))
        except (AssertionError, httpx.HTTPError) as exc:
            answers.append(str(exc))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: httpx.get(f"{served.address}/health").json()["busy"] > 0)
    for worker in served.workers():
        worker.kill()
    asking.join(PATIENCE)
    assert len(answers) == 1 and isinstance(answers[0], int), answers
    assert not measure_speech(served.say("Hello there."), 2).silent
    until(served.ready, PATIENCE)
    assert len(served.workers()) == httpx.get(f"{served.address}/health").json()["workers"]
    assert list(served.folder.iterdir()) == []


def test_many_requests_leave_no_trace(served: Served) -> None:
    texts = ["Yes.", "No.", "Good morning."]

    def say(count: int) -> None:
        for number in range(count):
            served.say(texts[number % 3], VOICES[number % 2], ROUTES[number % 2])

    say(24)  # every text by every voice and route, so that each worker has what it needs for them
    start = _held(served)
    say(48)
    half = _held(served)
    say(48)
    end = _held(served)
    assert end["children"] == start["children"]
    assert end["files"] <= start["files"] + 2
    # A worker's heap may take one step up when it first has two threads at work; what leaks does so all the time.
    assert min(half["memory"] - start["memory"], end["memory"] - half["memory"]) <= start["memory"] * 0.02
    assert list(served.folder.iterdir()) == []


def _held(served: Served) -> dict[str, float]:
    """Open files of the server, its children, and the bytes of all that no other process shares."""
    processes = [served.main(), *served.workers()]
    return {
        "files": served.main().num_fds() if sys.platform != "win32" else served.main().num_handles(),  # type: ignore[attr-defined]
        "children": len(processes),
        "memory": sum(process.memory_full_info().uss for process in processes),
    }


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "aac", "flac", "pcm"])
def test_every_format_is_heard(served: Served, format: str) -> None:
    answer = served.post("/v1/audio/speech", model="kokoro", voice="nova", input=SENTENCES[1], response_format=format)
    samples, rate = decoded(answer.content, format)
    assert word_error_rate(SENTENCES[1], transcribe(Sound(samples, rate))) <= 0.05


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0])
def test_slow_and_fast_speech_is_understood(served: Served, speed: float) -> None:
    sound = served.say(SENTENCES[1], speed=speed)
    heard = fold_words(transcribe(sound))
    assert heard[0] == "she"  # nothing is put before the first word, nor is it swallowed
    assert word_error_rate(SENTENCES[1], " ".join(heard)) <= 0.1
    ratio = measure_speech(served.say(SENTENCES[1]), 1).seconds / measure_speech(sound, 1).seconds
    assert speed * 0.75 <= ratio <= speed * 1.25


def test_loudness_is_what_was_asked_for(served: Served) -> None:
    for voice in ("af_heart", "am_adam"):
        sound = read_wav(served.say(LONG, voice, loudness=-20.0))
        assert measure_loudness(sound.samples) == pytest.approx(-20.0, abs=1.5)


def test_health_tells_what_the_engine_does(served: Served) -> None:
    status = json.loads(httpx.get(f"{served.address}/health").content)
    assert (status["status"], status["service"], status["engine"]) == ("healthy", "Kokoro TTS API", "pool")
