"""The benchmark harness on servers that hum: its arithmetic, its bounds, and what it says."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks import share, texts
from benchmarks.answers import NoAudioError, TimedAnswer, find_speech_problem
from benchmarks.competitors import make_instant_server
from benchmarks.instant import InstantWorker
from benchmarks.measure import Load, Sample, TextKind, measure_in_turns, measure_request
from benchmarks.report import format_results, save_json
from benchmarks.results import Results, compute_rows, interpolate_percentile
from benchmarks.run import BenchmarkPlan, run_plan
from benchmarks.servers import BenchmarkTarget, CommandTarget, HttpTarget, ServerStartError, assemble_answer
from benchmarks.sound import Samples, Sound, wav_bytes
from kokoro_server.engine.base import Worker
from tests.fakes.humming_server import MOMENT, RATE, hum
from tests.paths import ROOT

pytestmark = pytest.mark.serial

TEN_WORDS = "the quick brown fox jumps over the lazy dog again"


def humming(name: str = "humming") -> HttpTarget:
    command = [sys.executable, "-m", "tests.fakes.humming_server"]
    return HttpTarget(name, command, "/speak", lambda text, voice: {"text": text, "voice": voice}, {}, ROOT)


def humming_command() -> CommandTarget:
    return CommandTarget("command", [sys.executable, "-m", "tests.fakes.humming_command"], {"PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def server() -> Iterator[HttpTarget]:
    started = humming()
    started.start()
    yield started
    started.close()


@pytest.mark.parametrize(
    ("draw", "low", "high"), [(texts.draw_short, 8, 13), (texts.draw_medium, 36, 60), (texts.draw_long, 245, 270)]
)
def test_texts_have_their_length_and_follow_the_seed(draw: texts.Draw, low: int, high: int) -> None:
    drawn = [draw(random.Random(seed)) for seed in range(20)]
    assert all(low <= texts.count_words(text) <= high for text in drawn)
    assert drawn == [draw(random.Random(seed)) for seed in range(20)]
    assert len(set(drawn)) == len(drawn)


def test_texts_have_no_digits() -> None:
    text = texts.draw_long(random.Random(1)) + texts.SENTENCE + texts.GREETING
    assert not any(character.isdigit() for character in text)
    assert texts.count_words(texts.SENTENCE) == 20


def test_an_answer_is_timed_from_its_first_sound() -> None:
    wav = wav_bytes(Sound(np.concatenate([np.zeros(RATE, np.float32), hum("one two")]), RATE))
    cuts = [0, 40, 44, 44 + RATE * 3 // 2, 44 + RATE * 3, len(wav)]
    pieces = [wav[a:b] for a, b in pairwise(cuts)]
    answer = assemble_answer(iter(zip([0.1, 0.2, 0.3, 1.5, 4.0], pieces, strict=True)))
    assert answer.first_byte == 0.3
    assert answer.first_audible == 1.5  # after a second of silence, 48,000 bytes
    assert answer.total == 4.0
    assert answer.longest_underrun == pytest.approx(4.0 - 0.3 - 1.5)  # 1.5 s of sound were there before the last piece
    assert answer.sound.seconds == pytest.approx(1.7)


def test_an_answer_without_sound_is_none() -> None:
    with pytest.raises(NoAudioError, match="no sound in 5 bytes"):
        assemble_answer(iter([(0.1, b"oops!")]))


@pytest.mark.parametrize(
    ("samples", "words", "why"),
    [
        (hum(TEN_WORDS), 10, ""),
        (np.concatenate([np.zeros(2 * RATE, np.float32), hum(TEN_WORDS)]), 10, ""),
        (hum(TEN_WORDS), 20, "0.17 s a word"),
        (hum(TEN_WORDS), 5, "0.70 s a word"),
        (np.zeros(RATE, np.float32), 3, "silent"),
    ],
)
def test_what_is_not_speech_is_doubted(samples: Samples, words: int, why: str) -> None:
    found = find_speech_problem(Sound(samples, RATE), words)
    assert found.startswith(why) and bool(found) is bool(why)


def test_a_server_is_asked_and_measured(server: HttpTarget) -> None:
    sample = measure_request(server, "short", 0, TEN_WORDS, "af_heart")
    assert sample.error == ""
    assert sample.audio == pytest.approx(3.5)
    assert 0 < sample.first < sample.total  # by how much is the machine's affair


@pytest.mark.parametrize(("text", "error"), [("a fault", "HTTP 500"), ("hush " * 10, "silent")])
def test_a_bad_answer_does_not_count(server: HttpTarget, text: str, error: str) -> None:
    assert measure_request(server, "short", 0, text, "af_heart").error.startswith(error)


def test_a_command_is_run_and_measured() -> None:
    runs = humming_command()
    sample = measure_request(runs, "short", 0, TEN_WORDS, "af_heart")
    assert sample.error == ""
    assert sample.first == sample.total > 0
    assert sample.audio == pytest.approx(3.5)
    assert runs.list_processes() == []


def test_a_command_that_fails_is_no_answer() -> None:
    runs = CommandTarget("false", [sys.executable, "-c", "raise SystemExit(3)"], {})
    assert measure_request(runs, "short", 0, TEN_WORDS, "af_heart").error == "the command exited with 3"


def test_a_server_that_does_not_start_says_why() -> None:
    broken = HttpTarget("broken", [sys.executable, "-c", "print('no luck')"], "/", lambda *_: {}, {}, ROOT)
    with pytest.raises(ServerStartError, match="no luck"):
        broken.start()


def test_turns_are_taken_and_end_at_the_deadline(server: HttpTarget) -> None:
    kind = [TextKind("short", texts.draw_short, rounds=2)]
    rng = random.Random(1)
    speakers: list[BenchmarkTarget] = [server, humming_command()]
    assert [sample.target for sample in measure_in_turns(speakers, kind, "v", rng, float("inf"))] == ["humming"] * 2
    assert list(measure_in_turns(speakers, kind, "v", rng, deadline=0.0)) == []


def test_slow_speakers_speak_only_what_is_meant_for_them(server: HttpTarget) -> None:
    kind = [TextKind("greeting", lambda _: TEN_WORDS, rounds=2, includes_slow=True)]
    found = measure_in_turns([server, humming_command()], kind, "v", random.Random(1), float("inf"))
    assert [sample.target for sample in found] == ["command", "humming", "humming", "command"]


def test_gains_are_medians_of_the_rounds_own_ratios() -> None:
    ours = [Sample("ours", "short", n, 10, first=first, total=1.0, audio=4.0) for n, first in enumerate((1, 2, 4))]
    theirs = [Sample("other", "short", n, 10, first=first, total=1.0, audio=4.0) for n, first in enumerate((3, 4, 8))]
    lost = Sample("other", "short", 9, 10, error="silent", first=0.001)
    first = next(
        row
        for row in compute_rows(Results(["ours", "other"], {}, [lost, *theirs, *ours]))
        if "first audio" in row.label
    )
    assert first.values == {"ours": 2, "other": 4}
    assert first.gains == {"other": 2}


def test_load_is_counted_in_audio_and_errors() -> None:
    samples = [Sample("ours", "load 2", 0, 10, total=total, audio=3.0) for total in (1.0, 2.0)]
    failed = Sample("ours", "load 2", 0, 10, error="HTTP 503")
    loads = [Load("ours", 2, 1.5, (*samples, failed))]
    found = {row.label: row.values.get("ours") for row in compute_rows(Results(["ours"], {}, samples, loads))}
    assert found["2 clients: audio s/s"] == 4.0
    assert found["2 clients: p50 s"] == 1.5
    assert found["2 clients: errors"] == 1


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.5), (0.95, 3.85), (1.0, 4.0)])
def test_percentiles(share: float, value: float) -> None:
    assert interpolate_percentile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(value)


def test_a_whole_run_is_reported_and_leaves_no_process(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    plan = BenchmarkPlan(rounds=1, long_rounds=1, clients=(2,), minutes=1.0)
    results = run_plan(plan, [humming("ours"), humming("theirs"), humming_command()], instant=humming())
    assert set(psutil.Process().children(recursive=True)) <= before
    text = format_results(results)
    assert "greeting: total s" in text and "2 clients: audio s/s" in text and "server overhead" in text
    assert {sample.error for sample in results.samples} == {""}
    assert len(results.samples) == 2 * 5 + 2
    assert results.peak["ours"].rss > 1 << 20
    assert text.split("\n")[0].split() == ["ours", "theirs", "command"]
    save_json(results, tmp_path / "run.json")
    saved = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert saved["about"]["seed"] == 1
    assert {sample["target"] for sample in saved["samples"]} == {"ours", "theirs", "command"}


def test_answers_know_their_ends() -> None:
    answer = TimedAnswer(Sound(hum("one"), RATE), ((0.5, 8400), (0.9, 16800)))
    assert (answer.first_byte, answer.total) == (0.5, 0.9)


def test_the_instant_server_answers_like_the_real_one() -> None:
    server = make_instant_server()
    server.start()
    try:
        sample = measure_request(server, "short", 0, "A hum of ten words that is no speech, really.", "af_heart")
    finally:
        server.close()
    assert sample.error == ""
    assert sample.audio == pytest.approx(3.3, abs=0.3)


def test_the_instant_worker_is_a_worker() -> None:
    """Its driver calls what an idle moment wants, too, long after the benchmark's first request."""
    wanted = [name for name in vars(Worker) if not name.startswith("_")]
    assert wanted and not [name for name in wanted if not hasattr(InstantWorker, name)]


def test_a_server_under_load_is_measured_between_two_answers(
    server: HttpTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "WARM_UP", 0.1)
    rate, waits, server_cpu, client_cpu = share.measure_server(server, clients=2, seconds=1.0, rng=random.Random(1))
    assert len(waits) > 2 and min(waits) >= MOMENT * 0.9
    assert rate > 0
    assert 0 <= server_cpu < 1 and 0 < client_cpu < 1


def test_engines_alone_speak_at_the_same_time() -> None:
    """In a process of its own: what starts others keeps one beside it until it ends."""
    code = "import random; from benchmarks.share import measure_synthesizers as measure; "
    code += "print(measure(2, 0.5, random.Random(1)))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    assert float(told.stdout) > 0.5


def test_a_turn_is_told_in_a_row() -> None:
    turn = share.ShareMeasurement(
        server_rate=19.0, synthesizer_rate=20.0, latencies=[1.0] * 19 + [3.0], server_cpu=0.02, client_cpu=0.005
    )
    assert turn.share == pytest.approx(0.95)
    assert turn.format_row(1).split() == ["1", "19.00", "20.00", "95.0%", "1.00", "2.90", "2.0%", "0.5%"]
    assert len(turn.format_row(1)) == len(share.HEADINGS)
