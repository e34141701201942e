"""The command line: against a running server, with an engine of its own, and as a process."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from click.testing import CliRunner, Result

from kokoro_server import __version__
from kokoro_server.audio.samples import build_wav_header
from kokoro_server.cli import checks
from kokoro_server.cli.checks import CheckStatus
from kokoro_server.cli.files import detect_format, save_audio
from kokoro_server.cli.main import COMMANDS, cli
from kokoro_server.cli.player import PlaybackError, PlayerProgram, find_player
from kokoro_server.config import SETTINGS, Config, flag
from kokoro_server.core.errors import SynthesisFailed
from kokoro_server.core.voices import VOICES
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.sound import decoded
from tests.paths import ROOT

FAKE = shlex.join([sys.executable, str(ROOT / "tests" / "fakes" / "fake_kokoro.py")]) if os.name != "nt" else ""
FAKE = FAKE or f'"{sys.executable}" "{ROOT / "tests" / "fakes" / "fake_kokoro.py"}"'
OFFLINE = {"KOKORO_ENGINE": "command", "KOKORO_COMMAND": FAKE}
"""Settings of an engine that needs no network's weights: 1 ms of tone a character."""


def run(*arguments: str, text: str | bytes | None = None, **environment: str | None) -> Result:
    clean = dict.fromkeys(name for name in os.environ if name.startswith("KOKORO_"))
    return CliRunner().invoke(cli, arguments, input=text, env={**clean, **environment})


def process(
    *arguments: str, text: bytes = b"", folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KOKORO_")}
    return subprocess.run(
        [sys.executable, "-m", "kokoro_server", *arguments],
        input=text,
        capture_output=True,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        timeout=60,
    )


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(0.5)


@pytest.fixture
def server(tmp_path: Path, engine: FakeEngine) -> Iterator[str]:
    with live(make_app(tmp_path, engine, API_KEY=("secret",))) as address:
        yield address


# --- every command


def test_it_tells_its_version() -> None:
    assert run("--version").output == f"kokoro-tts-api, version {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    told = run(name, "--help")
    assert told.exit_code == 0 and told.output.startswith(f"Usage: cli {name} ")
    assert name in run("--help").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["sya"], "No such command 'sya'"), (["say", "-s", "9", "Hi."], "9.0 is not in the range"), (["say", "-x"], "-x")],
)
def test_what_is_not_understood_is_named(arguments: list[str], words: str) -> None:
    told = run(*arguments)
    assert told.exit_code == 2 and words in told.output


def test_a_wrong_setting_is_one_clear_line() -> None:
    told = run("voices", KOKORO_PORT="http")
    assert (told.exit_code, told.output) == (1, "Error: KOKORO_PORT is 'http': expected a whole number.\n")


def test_version_and_completion_load_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['x', 'say', '-v', ''];\nfrom kokoro_server.cli.main import cli\n"
    code += "try: cli(['--version'])\n"
    code += "except SystemExit: pass\nprint([name for name in ('numpy', 'flask', 'av', 'mcp') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- say


def test_say_asks_a_running_server(server: str, engine: FakeEngine, tmp_path: Path) -> None:
    out = tmp_path / "out.mp3"
    told = run(
        *("say", "--server", server, "-v", "bf_emma", "-s", "1.25", "-l", "en-us", "-o", str(out), "Hello", "there."),
        KOKORO_API_KEY="secret",
    )
    assert told.exit_code == 0, told.output
    samples, rate = decoded(out.read_bytes(), "mp3")
    assert len(samples) / rate == pytest.approx(0.4, abs=0.05)
    (request,) = engine.requests
    assert (request.text, request.voice.name, request.speed, request.language) == ("Hello there.", "bf_emma", 1.25, "a")


def test_say_finds_the_server_on_this_machine(server: str, engine: FakeEngine, tmp_path: Path) -> None:
    port = server.rpartition(":")[2]
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": None, "NO_PROXY": None}  # which is for other machines
    told = run("say", "Hi.", "-o", str(tmp_path / "x.wav"), KOKORO_PORT=port, KOKORO_API_KEY="secret", **proxy)
    assert told.exit_code == 0 and len(engine.requests) == 1


def test_say_writes_a_wav_that_knows_its_length(server: str, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    run("say", "One. " * 100, "-o", str(out), KOKORO_SERVER=server, KOKORO_API_KEY="secret")
    data = out.read_bytes()
    assert int.from_bytes(data[40:44], "little") == len(data) - 44 > 48_000


@pytest.mark.parametrize(("name", "option", "magic"), [("x.flac", (), b"fLaC"), ("x", ("-f", "opus"), b"OggS")])
def test_say_writes_the_format_that_is_meant(
    server: str, tmp_path: Path, name: str, option: tuple[str, ...], magic: bytes
) -> None:
    out = tmp_path / name
    told = run("say", "Hi.", "-o", str(out), *option, KOKORO_SERVER=server, KOKORO_API_KEY="secret")
    assert out.read_bytes().startswith(magic) and f"Spoken into {out}" in told.output


@pytest.mark.parametrize("name", ["x.ogg", "x.txt", "x.mp3.part"])
def test_say_writes_no_sound_into_what_is_called_something_else(server: str, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    told = run("say", "Hi.", "-o", str(out), KOKORO_SERVER=server, KOKORO_API_KEY="secret")
    assert told.exit_code == 1 and f"{name} is no name for sound: end it with .wav, .mp3" in told.output
    assert not out.exists()
    for option in (["-f", "opus"], []):
        plain = out if option else tmp_path / "x"
        assert (
            run("say", "Hi.", "-o", str(plain), *option, KOKORO_SERVER=server, KOKORO_API_KEY="secret").exit_code == 0
        )
        assert plain.stat().st_size > 100


def test_say_reads_stdin(server: str, engine: FakeEngine, tmp_path: Path) -> None:
    text = "\ufeffGrüße, and a second line.\nIt follows."
    environment = {"KOKORO_SERVER": server, "KOKORO_API_KEY": "secret"}
    assert run("say", "-o", str(tmp_path / "x.wav"), text=text.encode(), **environment).exit_code == 0
    assert engine.requests[0].text == text.removeprefix("\ufeff")
    told = run("say", "-o", str(tmp_path / "x.wav"), text=b"\xff\xfe", **environment)
    assert told.exit_code == 1 and "not UTF-8" in told.output


REFUSED = [
    (("-v", "af_hart", "Hi."), "secret", "Unknown voice 'af_hart'. Did you mean af_heart"),
    ((" ",), "secret", "text is empty"),
    (("Hi.",), "wrong", "The API key is not one of this server's."),
]


@pytest.mark.parametrize(("arguments", "key", "words"), REFUSED)
def test_say_tells_what_the_server_refuses(
    server: str, tmp_path: Path, arguments: tuple[str, ...], key: str, words: str
) -> None:
    out = tmp_path / "x.wav"
    told = run("say", *arguments, "-o", str(out), KOKORO_SERVER=server, KOKORO_API_KEY=key)
    assert told.exit_code == 1 and words in told.output
    assert not any(path.name.startswith("x.wav") for path in tmp_path.iterdir())


def test_say_leaves_nothing_of_a_broken_answer(tmp_path: Path) -> None:
    engine = FakeEngine(fail_at=2, error=SynthesisFailed("It broke."))
    with live(make_app(tmp_path, engine)) as address:
        told = run("say", "A sentence of some length. " * 20, "-o", str(tmp_path / "x.mp3"), KOKORO_SERVER=address)
    assert told.exit_code == 1 and "broke off in the middle" in told.output
    assert not any(path.name.startswith("x.mp3") for path in tmp_path.iterdir())


def test_say_tells_that_there_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    told = run("say", "Hi.", "-o", "x.wav", "--server", address)
    assert told.exit_code == 1 and f"The server {address} can't be reached" in told.output


def test_say_with_an_engine_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    told = run("say", "--local", "x" * 11_000, "-o", str(out), KOKORO_TEMP_DIR=str(tmp_path / "none"), **OFFLINE)
    assert told.exit_code == 0, told.output
    assert len(decoded(out.read_bytes(), "wav")[0]) / 24_000 == pytest.approx(11, abs=1)


def test_say_tells_why_its_engine_does_not_start(tmp_path: Path) -> None:
    told = run(
        "say", "--local", "Hi.", "-o", str(tmp_path / "x"), KOKORO_ENGINE="command", KOKORO_COMMAND="no-such-kokoro"
    )
    assert told.exit_code == 1 and "no-such-kokoro" in told.output and told.output.startswith("Error: ")


def test_say_as_a_process_to_stdout(tmp_path: Path) -> None:
    arguments = ("say", "--local", "-f", "wav", "-o", "-")
    done = process(*arguments, text=b"Hello there.", folder=tmp_path, **OFFLINE, KOKORO_TEMP_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"RIFF") and len(done.stdout) > 500


# --- playing


def player(tmp_path: Path, code: str, *arguments: str) -> PlayerProgram:
    script = tmp_path / "player.py"
    script.write_text(f"import shutil, sys, pathlib\n{code}\n", "utf-8")
    return PlayerProgram((sys.executable, str(script), *arguments))


def test_a_program_plays_what_comes(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    program = player(tmp_path, f"shutil.copyfileobj(sys.stdin.buffer, open({str(heard)!r}, 'wb'))")
    find_player([PlayerProgram(("no-such-player",)), program])(iter([b"ab" * 1000, b"cd"]))
    assert heard.read_bytes() == b"ab" * 1000 + b"cd"


def test_a_program_plays_a_file(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    program = player(tmp_path, f"shutil.copy(sys.argv[1], {str(heard)!r})\nprint(sys.argv[1])", "{file}")
    find_player([program])(iter([b"ab" * 1000]))
    assert heard.read_bytes() == build_wav_header(data_size=2000) + b"ab" * 1000


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    program = player(tmp_path, "sys.exit('no sound card')")
    with pytest.raises(PlaybackError, match=r"did not play \(exit code 1\): no sound card"):
        find_player([program])(bytes(100_000) for _ in range(50))


def test_without_a_player_it_says_what_to_do() -> None:
    with pytest.raises(PlaybackError, match="pip install sounddevice, or one of no-such-player; or write a file"):
        find_player([PlayerProgram(("no-such-player",))])


# --- files


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise SynthesisFailed("It broke.")

    path = tmp_path / "x.mp3"
    with pytest.raises(SynthesisFailed):
        save_audio(path, "mp3", broken())
    assert list(tmp_path.iterdir()) == []
    assert save_audio(path, "mp3", iter([b"some", b"thing"])) == 9 and path.read_bytes() == b"something"


@pytest.mark.parametrize(
    ("name", "format"), [("a.WAV", "wav"), ("a.b.mp3", "mp3"), ("a.txt", None), (".mp3", None), ("mp3", None)]
)
def test_a_name_tells_its_format(name: str, format: str | None) -> None:
    assert detect_format(Path(name)) == format


# --- voices


def test_voices_are_listed_by_language() -> None:
    told = run("voices", COLUMNS="200").output
    assert all(name in told for name in VOICES)
    assert re.search(r"French.*fr-fr.*ff_siwis", told)


def test_voices_for_programs() -> None:
    told = json.loads(run("voices", "--json", KOKORO_ALLOWED_VOICES="af_heart,bm_lewis").output)
    assert [each["id"] for each in told] == ["af_heart", "bm_lewis"]
    assert told[1] == {"id": "bm_lewis", "language": "en-gb", "language_name": "British English", "gender": "male"}


def test_voices_of_a_server(tmp_path: Path) -> None:
    app = make_app(tmp_path, FakeEngine(), ALLOWED_VOICES=("ef_dora", "bf_emma", "af_sky"), DEFAULT_VOICE="bf_emma")
    with live(app) as address:
        told = json.loads(run("voices", "--json", "--server", address).output)
    assert [each["id"] for each in told] == ["bf_emma", "af_sky", "ef_dora"]


def test_voices_as_a_process_that_writes_into_a_pipe() -> None:
    done = process("voices", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0 and b"af_heart" in done.stdout


# --- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    told = run("completion", shell)
    if shell == "bash" and told.exit_code:
        assert "bash" in told.output.lower()  # click wants one that is new enough
    else:
        assert "_KOKORO_TTS_API_COMPLETE" in told.output and "kokoro-tts-api" in told.output


def test_voices_are_completed() -> None:
    completing = {"_KOKORO_TTS_API_COMPLETE": "bash_complete", "COMP_WORDS": "x say -v bf_", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", "from kokoro_server.cli.main import cli; cli(prog_name='kokoro-tts-api')"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **completing},
    )
    assert done.stdout.split() == [f"plain,{name}" for name in VOICES if name.startswith("bf_")]


# --- doctor


def test_doctor_checks_this_machine(tmp_path: Path) -> None:
    told = run("doctor", "--quick", "--json", KOKORO_TEMP_DIR=str(tmp_path), KOKORO_PORT="0")
    found = {each["name"]: each for each in json.loads(told.output)}
    assert list(found) == ["python", "packages", "cpu", "memory", "disk", "model", "voices", "runtime", "port", "temp"]
    assert {each["state"] for each in found.values()} <= {"ok", "warn"} and told.exit_code == 0
    assert "offers" in found["runtime"]["told"] and "kernels" in found["cpu"]["told"]


def test_doctor_as_a_process_fails_and_says_what_to_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = process(
            *("doctor", "--quick"),
            KOKORO_HOST="127.0.0.1",
            KOKORO_PORT=port,
            KOKORO_TEMP_DIR=str(tmp_path / "file" / "x"),
            KOKORO_DEVICE="abacus",
        )
    told = done.stdout.decode()
    assert done.returncode == 1
    for words in (
        f"fail port      127.0.0.1:{port}",
        "set KOKORO_PORT.",
        "Set KOKORO_TEMP_DIR.",
        "KOKORO_DEVICE to cpu.",
    ):
        assert words in told
    assert "ok   model" in told


def test_doctor_knows_a_server_of_ours(server: str) -> None:
    found = checks.check_port(Config(HOST="127.0.0.1", PORT=int(server.rpartition(":")[2])))
    assert found.state is CheckStatus.OK and f"a server of version {__version__}" in found.told


def test_doctor_times_a_sentence(tmp_path: Path) -> None:
    words = tuple(shlex.split(FAKE)) if os.name != "nt" else (sys.executable, str(ROOT / "tests/fakes/fake_kokoro.py"))
    told = checks.check_speed(Config(ENGINE="command", KOKORO_COMMAND=words, TEMP_DIR=tmp_path))
    assert told.state in (CheckStatus.OK, CheckStatus.WARN) and re.search(
        r"0\.\d s of speech in .* x real time", told.told
    )
    broken = checks.check_speed(Config(ENGINE="command", KOKORO_COMMAND=("no-such-kokoro",), TEMP_DIR=tmp_path))
    assert broken.state is CheckStatus.FAIL and "no-such-kokoro" in broken.told


def test_doctor_compares_what_is_installed_with_what_was_tested() -> None:
    assert checks.find_required_packages()["click"] == checks.find_installed_version("click")
    assert len(checks.find_required_packages()) > 30
    missing = checks.check_packages(Config(), {"click": "0.1", "no-such-package": "1"})
    assert missing.state is CheckStatus.FAIL and "no-such-package" in missing.told and "pip install" in missing.fix
    other = checks.check_packages(Config(), {"click": "0.1"})
    assert other.state is CheckStatus.WARN and "(tested 0.1)" in other.told


# --- health


def test_health_is_the_exit_code(server: str) -> None:
    told = run("health", KOKORO_PORT=server.rpartition(":")[2])
    assert (told.exit_code, told.output) == (0, f"The server {server}, version {__version__}, is well.\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    told = run("health", KOKORO_PORT=port)
    assert told.exit_code == 1 and "is not well: it says nothing." in told.output


def test_health_asks_by_names_that_strangers_may_not_use(tmp_path: Path) -> None:
    with live(make_app(tmp_path, FakeEngine(), ALLOWED_HOSTS=("tts.example",))) as address:
        assert run("health", "--server", address).exit_code == 0
        assert httpx.get(f"{address}/health", headers={"Host": "tts.example"}).status_code == 200
        assert httpx.get(f"{address}/health", headers={"Host": "evil.example"}).status_code == 400


# --- serve


def test_serve_takes_every_setting() -> None:
    told = run("serve", "--help", COLUMNS="200").output
    assert all(flag(each.name) in told for each in SETTINGS)


def test_serve_as_a_process_until_it_is_told_to_stop(tmp_path: Path) -> None:
    arguments = ["--host", "127.0.0.1", "--port", "0", "--engine", "command", "--kokoro-command", FAKE]
    with subprocess.Popen(
        [sys.executable, "-m", "kokoro_server", "serve", *arguments, "--wyoming", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KOKORO_MODEL_DIR": str(tmp_path)},
    ) as child:
        killer = threading.Timer(50, child.kill)
        killer.start()
        assert child.stderr is not None
        told = ""
        for line in child.stderr:
            told += line
            if "Listening on http://" in line:
                break
        port = re.search(r"Listening on http://127\.0\.0\.1:(\d+)", told)
        assert port and "Listening for Wyoming on tcp://127.0.0.1:" in told, told
        out = tmp_path / "x.wav"
        assert run("say", "Hello there.", "-o", str(out), KOKORO_SERVER=f"http://127.0.0.1:{port[1]}").exit_code == 0
        child.terminate()
        child.stderr.read()
        killer.cancel()
    assert child.returncode == 0 or os.name == "nt"
    assert np.abs(decoded(out.read_bytes(), "wav")[0]).max() > 0.1


def test_serve_tells_what_is_wrong() -> None:
    done = process("serve", "--wyoming", "--port", "http")
    assert done.returncode == 1 and b"KOKORO_PORT is 'http': expected a whole number." in done.stderr
