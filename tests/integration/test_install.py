"""What people install: the wheel, the container, the services, and the checks on every system."""

from __future__ import annotations

import configparser
import os
import plistlib
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from kokoro_server import __version__
from kokoro_server.cli.main import COMMANDS
from kokoro_server.config import SETTINGS, Config
from kokoro_server.core.extras import EXTRAS
from kokoro_server.core.voices import VOICES
from tests.paths import ROOT

pytestmark = pytest.mark.serial

UNIT = ROOT / "deploy" / "systemd" / "kokoro-tts-api.service"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt")
VARIABLES = {each.variable for each in SETTINGS}
FLAGS = {each.flag for each in SETTINGS}


def read(*path: str) -> str:
    return (ROOT / Path(*path)).read_text("utf-8")


# --- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves its own files beside what it builds."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "kokoro_server", copy / "kokoro_server", ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--no-deps", "--wheel-dir", out, copy)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel brings; the packages that it needs are this interpreter's."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--target", folder, wheel)
    return folder


def pip(*arguments: object) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    done = subprocess.run([sys.executable, "-m", "pip", *map(str, arguments), *quiet], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(installed: Path, folder: Path, *command: str) -> str:
    """What a command prints that finds the installed files, and nothing of this checkout."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KOKORO_")}
    environment = {**clean, "PYTHONPATH": str(installed)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_every_file_of_ours(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kokoro_server").rglob("*") if path.is_file()}
    wanted = {name for name in ours if "__pycache__" not in name}
    assert wanted <= packed
    assert {name.partition("/")[0] for name in packed - wanted} == {f"kokoro_tts_api-{__version__}.dist-info"}


def test_the_wheel_wants_what_the_server_wants(wheel: Path) -> None:
    """The wheel's ranges name every package that requirements.txt pins, and each pin lies in its range."""
    archive = zipfile.ZipFile(wheel)
    told = message_from_bytes(archive.read(f"kokoro_tts_api-{__version__}.dist-info/METADATA"))
    assert told["Version"] == __version__ and told["License-Expression"] == "Apache-2.0"
    wanted = [Requirement(each) for each in told.get_all("Requires-Dist") or []]
    ranges = {each.name: each.specifier for each in wanted if each.name != "kokoro-tts-api"}
    lines = [line for line in read("requirements.txt").splitlines() if line and not line.startswith("#")]
    pins = {pin.name: next(iter(pin.specifier)) for pin in map(Requirement, lines)}
    assert all(pin.operator == "==" for pin in pins.values())
    assert ranges.keys() == pins.keys()
    assert [name for name, pin in pins.items() if pin.version not in ranges[name]] == []


def test_every_extra_is_known(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    told = message_from_bytes(archive.read(f"kokoro_tts_api-{__version__}.dist-info/METADATA"))
    assert set(told.get_all("Provides-Extra") or []) == {*EXTRAS, "all"}


def test_the_command_is_installed(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / ("kokoro-tts-api.exe" if os.name == "nt" else "kokoro-tts-api")
    assert run(installed, tmp_path, str(script), "--version") == f"kokoro-tts-api, version {__version__}\n"
    told = run(installed, tmp_path, str(script), "voices")
    assert all(name in told for name in VOICES)


def test_what_is_installed_serves(installed: Path, tmp_path: Path) -> None:
    code = """
import kokoro_server
from tests_folder import app
client = app.test_client()
print([client.get(path).status_code for path in ("/", "/docs", "/static/page.js", "/openapi.json", "/voices")])
print(kokoro_server.__file__)
"""
    (tmp_path / "tests_folder.py").write_text(
        "from pathlib import Path\nfrom kokoro_server.app import create_app\nfrom kokoro_server.config import Config\n"
        "here = Path.cwd()\n"
        "app = create_app(Config(ENGINE='command', TEMP_DIR=here, MODEL_DIR=here, DATA_DIR=here))\n",
        "utf-8",
    )
    answers, files = run(installed, tmp_path, sys.executable, "-c", code).splitlines()
    assert answers == "[200, 200, 200, 200, 200]"
    assert all(file.startswith(str(installed)) for file in files.split())


# --- the container


def instructions(name: str) -> list[tuple[str, str]]:
    """(word, rest) of every instruction of the Dockerfile."""
    whole = re.sub(r"\\\n\s*", "", "\n".join(line for line in read(name).splitlines() if not line.startswith("#")))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def test_the_image_copies_what_is_there_and_let_in() -> None:
    copies = [rest.split()[:-1] for word, rest in instructions("Dockerfile") if word == "COPY" and "--from" not in rest]
    sources = [name for names in copies for name in names]
    let_in = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert set(sources) == let_in == {*SOURCES, "kokoro_server"}
    assert all((ROOT / name).exists() for name in sources)


def test_the_image_runs_as_nobody_and_says_whether_it_is_well() -> None:
    last = instructions("Dockerfile")[
        max(i for i, each in enumerate(instructions("Dockerfile")) if each[0] == "FROM") :
    ]
    found = dict(last)
    assert found["USER"].split(":")[0].isdecimal() and int(found["USER"].split(":")[0]) > 0
    assert found["ENTRYPOINT"] == '["kokoro-tts-api"]' and found["CMD"].strip('[]"') in COMMANDS
    check = found["HEALTHCHECK"].partition(" CMD ")[2]
    assert check == '["kokoro-tts-api", "health"]' and "health" in COMMANDS


def test_the_compose_file_writes_into_its_volumes_only() -> None:
    told = yaml.safe_load(read("compose.yaml"))
    (service,) = told["services"].values()
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    mounted = {volume.partition(":")[2] for volume in service["volumes"]} | set(service["tmpfs"])
    image = dict(instructions("Dockerfile"))
    assert mounted == {"/data", "/models/graphs", "/tmp"} == {*yaml.safe_load(image["VOLUME"]), "/tmp"}
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(told["volumes"])


# --- services


FILES = (
    "Dockerfile",
    "compose.yaml",
    "deploy/README.md",
    str(UNIT.relative_to(ROOT)),
    "deploy/launchd/kokoro-tts-api.plist",
)


@pytest.mark.parametrize("name", FILES)
def test_only_settings_that_exist_are_set(name: str) -> None:
    named = set(re.findall(r"KOKORO_[A-Z_]+", read(name))) - {"KOKORO_NAME"}
    assert named and named <= VARIABLES


def unit() -> dict[str, Any]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(read("deploy", "systemd", "kokoro-tts-api.service"))
    return dict(parser["Service"])


def test_the_unit_starts_a_command_that_exists() -> None:
    program, command = unit()["ExecStart"].split()
    assert program.endswith("/bin/kokoro-tts-api") and command in COMMANDS
    assert unit()["DynamicUser"] == "yes" and int(unit()["TimeoutStopSec"]) > Config().GRACE


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is where it is needed only")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text("utf-8")), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True)
    assert not [line for line in done.stderr.splitlines() if UNIT.name in line], done.stderr


def test_launchd_starts_a_command_that_exists() -> None:
    told = plistlib.loads(read("deploy", "launchd", "kokoro-tts-api.plist").encode())
    program, command = told["ProgramArguments"]
    assert program.endswith("/bin/kokoro-tts-api") and command in COMMANDS and told["RunAtLoad"] is True


def test_the_windows_task_starts_a_command_that_exists() -> None:
    script = read("deploy", "windows", "install.ps1")
    command = re.search(r'-Argument "-m kokoro_server (\w+) \$args"', script)
    assert command and command[1] in COMMANDS
    assert set(re.findall(r"--[a-z-]+", script)) <= FLAGS


# --- checks on every system


def test_the_checks_run_on_every_system_and_python() -> None:
    jobs = yaml.safe_load(read(".github", "workflows", "checks.yml"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    lines = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert all((ROOT / name).exists() for name in re.findall(r"tests/\S+|\.ci/run|run\.py", lines))
    assert set(re.findall(r"kokoro-tts-api (\w+)$", lines, re.MULTILINE)) <= set(COMMANDS)
