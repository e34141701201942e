"""inference.sh, which newcomers run first: it speaks, or says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has inference.bat")


def run(address: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KOKORO_PORT": address.rpartition(":")[2], "NO_PROXY": "*"}
    command = ["sh", str(ROOT / "inference.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_it_speaks_the_example(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    with live(make_app(tmp_path, FakeEngine())) as address:
        done = run(address, ROOT / "request.json", out)
    assert (done.returncode, done.stdout) == (0, f"Spoken into {out}\n")
    assert out.read_bytes()[:4] == b"RIFF"


def test_it_repeats_what_the_server_refuses(tmp_path: Path) -> None:
    request, out = tmp_path / "request.json", tmp_path / "out.wav"
    request.write_text('{"text": "Hi.", "voice": "nobody"}', "utf-8")
    with live(make_app(tmp_path, FakeEngine())) as address:
        done = run(address, request, out)
    assert done.returncode == 1 and "Unknown voice 'nobody'" in done.stderr
    assert not out.exists()


def test_it_says_that_there_is_no_server(tmp_path: Path) -> None:
    done = run("http://127.0.0.1:1", ROOT / "request.json", tmp_path / "out.wav")
    assert done.returncode == 1 and "python run.py" in done.stderr
