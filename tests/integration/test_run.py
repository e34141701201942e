"""run.py, copied into a folder of its own beside a `.venv` whose Python writes down what it is asked to do."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.waiting import until
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a .venv's Python is a script here, which Windows can't start")

FAKE_PYTHON = """#!{python}
import json, os, signal, sys, time
arguments = sys.argv[1:]
if arguments[:2] == ["-c", "import pip"]:
    sys.exit(not os.path.exists({pip!r}))
print("asked", json.dumps(arguments), os.environ.get("KOKORO_PORT", ""), file=open({log!r}, "a"))
name = arguments[1] if arguments[0] == "-m" else os.path.basename(arguments[0])
if name == os.environ.get("WAITS"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(8))
    print("waiting", file=open({log!r}, "a"))
    time.sleep(30)
codes = dict(each.split("=") for each in os.environ.get("FAILS", "").split())
sys.exit(int(codes.get(name, 0)))
"""


class Place:
    """A folder with run.py, requirements, and a `.venv` with a Python that logs its arguments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / ".venv"
        self.log = folder / "log"
        shutil.copy(ROOT / "run.py", folder)
        for name in ("requirements.txt", "requirements-dev.txt"):
            (folder / name).write_text("nothing==1\n")
        self.make_venv()

    def make_venv(self) -> None:
        (self.venv / "bin").mkdir(parents=True)
        python = self.venv / "bin" / "python"
        pip = self.venv / "pip"
        python.write_text(FAKE_PYTHON.format(python=sys.executable, pip=str(pip), log=str(self.log)))
        python.chmod(0o700)
        pip.touch()

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "run.py"], cwd=self.folder, env={**os.environ, **environment}, start_new_session=True
        )

    def asked(self) -> list[list[str]]:
        """What the Python of the `.venv` was asked to do since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [json.loads(line[6 : line.rindex("]") + 1]) for line in lines if line.startswith("asked ")]

    def installed(self) -> list[str]:
        """The requirement files that pip was told of since the last look."""
        return [Path(each[each.index("-r") + 1]).name for each in self.asked() if each[:2] == ["-m", "pip"]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_first_start_installs_and_the_second_does_not(place: Place) -> None:
    assert place.run().returncode == 0
    pip, server = place.asked()
    assert pip[:3] == ["-m", "pip", "install"] and str(place.folder / "requirements.txt") in pip
    assert server == [str(place.folder / "kokoro_tts_api.py")]
    assert place.run().returncode == 0
    assert place.asked() == [server]


def test_other_requirements_are_installed(place: Place) -> None:
    place.run()
    place.asked()
    (place.folder / "requirements.txt").write_text("nothing==2\n")
    place.run()
    assert place.installed() == ["requirements.txt"]
    place.run()
    assert place.installed() == []


def test_requirements_that_could_not_be_installed_are_tried_again(place: Place) -> None:
    ended = place.run(FAILS="pip=1")
    assert ended.returncode == 1
    assert "requirements.txt could not be installed" in ended.stderr
    assert [each[:2] for each in place.asked()] == [["-m", "pip"]]
    assert place.run().returncode == 0
    assert place.installed() == ["requirements.txt"]


def test_arguments_and_settings_pass_through(place: Place) -> None:
    place.run("--port", "1 2", "-x", KOKORO_PORT="3")
    assert place.log.read_text().splitlines()[-1].endswith('"--port", "1 2", "-x"] 3')


def test_the_servers_exit_code_passes_through(place: Place) -> None:
    assert place.run(FAILS="kokoro_tts_api.py=5").returncode == 5


TOGETHER = ["-m", "not serial", "--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"]


def test_test_runs_every_check(place: Place) -> None:
    place.run("test")
    assert place.installed() == ["requirements.txt", "requirements-dev.txt"]
    assert place.run("test", "-k", "voices").returncode == 0
    assert place.asked() == [
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "ruff", "check", "."],
        ["-m", "mypy"],
        ["-m", "pytest", *TOGETHER, "-k", "voices"],
        ["-m", "pytest", "-m", "serial", "-k", "voices"],
    ]


def test_fast_runs_the_unit_tests_alone(place: Place) -> None:
    place.run("test")
    place.asked()
    assert place.run("test", "--fast", "-x").returncode == 0
    assert [each[1] for each in place.asked()] == ["ruff", "ruff", "mypy", "pytest"]
    place.run("test", "--fast", "-x")
    assert place.asked()[-1] == ["-m", "pytest", "tests/unit", *TOGETHER[2:], "-x"]


@pytest.mark.parametrize("check", ["ruff", "mypy", "pytest"])
def test_one_failed_check_fails_all_but_stops_none(place: Place, check: str) -> None:
    place.run("test")
    place.asked()
    assert place.run("test", FAILS=f"{check}=1").returncode == 1
    assert [each[1] for each in place.asked()] == ["ruff", "ruff", "mypy", "pytest", "pytest"]


def test_test_installs_what_it_needs_more(place: Place) -> None:
    place.run()
    assert place.installed() == ["requirements.txt"]
    place.run("test")
    assert place.installed() == ["requirements-dev.txt"]


@pytest.mark.parametrize(("what", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8)])
def test_a_signal_reaches_the_server_and_its_end_is_waited_for(place: Place, what: int, code: int) -> None:
    started = place.start(WAITS="kokoro_tts_api.py")
    until(lambda: place.log.exists() and "waiting" in place.log.read_text(), 30)
    if what == signal.SIGTERM:
        started.send_signal(what)  # a service tells the process that it knows
    else:
        os.killpg(started.pid, what)  # a terminal tells all
    assert started.wait(20) == code


def test_a_venv_without_pip_is_not_taken_for_a_whole_one(place: Place) -> None:
    run = loaded(place.folder / "run.py")
    assert run.has_pip()
    (place.venv / "pip").unlink()  # the making of it was interrupted
    assert not run.has_pip()
    shutil.rmtree(place.venv)
    assert not run.has_pip()


def loaded(path: Path) -> Any:
    """The module in the file."""
    spec = importlib.util.spec_from_file_location("run_in_its_folder", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import run; print(run.ROOT)"
    ended: Any = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True)
    assert ended.stdout.strip() == str(ROOT), ended.stderr
