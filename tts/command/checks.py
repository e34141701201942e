"""Check what speech synthesis needs on this machine; each check reports a finding and, on a problem, a fix.

A check imports what it examines inside its function: that package may be missing or broken, which must become a finding
and not stop the other checks.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.requirements import Requirement

from config import Config, usable_cores
from tts.command.remote import SERVICE, health
from tts.command.speech import Wish
from tts.speech.audio import PCM_BYTES, SAMPLE_RATE
from tts.speech.errors import SpeechError

OLDEST = (3, 11)
DISTRIBUTION = "kokoro-tts-api"
SENTENCE = "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun for the rest of the day."
ROOM = 1_000_000_000
"""Bytes of disk space that weights, voices and prepared graphs need on a new machine, with a margin."""
WORKER_MEMORY = 600_000_000
"""Bytes of memory that one worker process needs."""
INSTALL = "Install again: python run.py, or pip install -r requirements.txt"


class State(StrEnum):
    """Define the outcome of a check; only FAIL makes `doctor` exit with 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """Hold the result of one check: a summary (`told`) and how to fix a problem. `doctor --json` prints its fields."""

    name: str
    state: State
    told: str
    fix: str = ""


Check = Callable[[Config], Finding]


def findings(config: Config, speak: bool) -> Iterator[Finding]:
    """Run the checks and yield each finding as soon as it is known.

    Stops after a failed package check, since the later checks import those packages. `speak` adds the speed check,
    which starts a worker and takes several seconds.
    """
    yield python(config)
    found = packages(config)
    yield found
    if found.state is not State.FAIL:
        checks: tuple[Check, ...] = (cpu, memory, disk, model, voices, runtime, port, temp_folder)
        yield from (check(config) for check in (*checks, *((speed,) if speak else ())))


def python(config: Config) -> Finding:
    """Check that Python is 64-bit and at least MIN_PYTHON."""
    summary = f"{platform.python_implementation()} {platform.python_version()}, {8 * struct.calcsize('P')} bits"
    good = sys.version_info >= OLDEST and struct.calcsize("P") == 8
    fix = "" if good else f"Install a 64-bit Python {'.'.join(map(str, OLDEST))} or newer"
    return Finding("python", State.OK if good else State.FAIL, f"{summary}, on {platform.platform(terse=True)}", fix)


def packages(config: Config, pins: Mapping[str, str] | None = None) -> Finding:
    """Check that every required package is installed in its tested version; `pins` maps name to version."""
    pins = required() if pins is None else pins
    missing = [name for name in pins if installed(name) is None]
    other = [f"{name} {installed(name)} (tested {pin})" for name, pin in pins.items() if installed(name) != pin]
    if missing:
        return Finding("packages", State.FAIL, f"missing: {', '.join(missing)}", INSTALL)
    if other:
        return Finding("packages", State.WARN, f"other versions: {', '.join(other)}", INSTALL)
    return Finding("packages", State.OK, f"all {len(pins)}")


def required() -> dict[str, str]:
    """Return the pinned packages that apply to this machine: name to version."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        lines = (Path(__file__).parents[2] / "requirements.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if "==" in line]
    return {pin.name: str(pin.specifier)[2:] for pin in pins if pin.marker is None or pin.marker.evaluate()}


def installed(name: str) -> str | None:
    """Return the installed version of a package, None without one."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu(config: Config) -> Finding:
    """Check the processor, its usable cores and the kernels that would run on it."""
    try:
        summary = f"{platform.machine()}, {kernels(config)}, {usable_cores()} usable cores"
    except ValueError as exc:
        return Finding("cpu", State.FAIL, f"KOKORO_DEVICE is {config.DEVICE}: {exc}", "Set KOKORO_DEVICE to cpu")
    if usable_cores() < config.THREADS:
        fix = f"Set KOKORO_THREADS to {usable_cores()} or less"
        return Finding("cpu", State.WARN, f"{summary}, but KOKORO_THREADS is {config.THREADS}", fix)
    return Finding("cpu", State.OK, summary)


def kernels(config: Config) -> str:
    """Describe what runs the network: our kernels (they need llvmlite) or onnxruntime. Raises ValueError."""
    from tts.synth.network import parted

    device, name = parted(config.DEVICE)
    if device != "cpu" or name == "onnxruntime":
        return f"onnxruntime on {device}"
    try:
        from llvmlite import binding  # type: ignore[import-untyped]
    except ImportError as exc:
        if name:
            raise ValueError("there are no kernels of our own without llvmlite") from exc
        return "no kernels of our own, which is slower"
    from tts.synth.kernels.choice import named, rivals

    if name:
        named(name)
    return f"{binding.get_host_cpu_name()} with {name or ' or '.join(rivals())} kernels"


def memory(config: Config) -> Finding:
    """Check that the free memory suffices for the workers."""
    import psutil

    free, wanted = psutil.virtual_memory().available, config.WORKERS * WORKER_MEMORY
    summary = f"{free / 1e9:.1f} GB available; {config.WORKERS} workers take about {wanted / 1e9:.1f} GB"
    if free < wanted:
        return Finding("memory", State.WARN, summary, "Set KOKORO_WORKERS lower, or end other programs")
    return Finding("memory", State.OK, summary)


def disk(config: Config) -> Finding:
    """Check the free disk space for weights and voices, at the first folder of the path that exists."""
    folder = next(each for each in (config.MODEL_DIR.absolute(), *config.MODEL_DIR.absolute().parents) if each.exists())
    free = shutil.disk_usage(folder).free
    summary = f"{free / 1e9:.1f} GB free at {folder}"
    if free < ROOM:
        return Finding("disk", State.WARN, summary, "Make room, or set KOKORO_MODEL_DIR to a folder that has some")
    return Finding("disk", State.OK, summary)


def model(config: Config) -> Finding:
    """Check that the network's weights are present, or fetch and assemble them."""
    from tts.synth.assets import AssetsMissing, chosen_model

    try:
        config.MODEL_DIR.mkdir(parents=True, exist_ok=True)
        return Finding("model", State.OK, str(chosen_model(config.MODEL_DIR, config.MODEL)))
    except AssetsMissing as exc:
        return Finding("model", State.FAIL, str(exc), "See above")
    except OSError as exc:
        return Finding("model", State.FAIL, f"{config.MODEL_DIR}: {exc.strerror}", "Set KOKORO_MODEL_DIR")


def voices(config: Config) -> Finding:
    """Check that every voice is present, or fetch it."""
    from tts.synth.assets import AssetsMissing, ensure_voices, pinned_voices

    folder = config.MODEL_DIR / "voices"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ensure_voices(folder, config.HUB, pinned_voices())
        return Finding("voices", State.OK, f"all {len(pinned_voices())} in {folder}")
    except AssetsMissing as exc:
        return Finding("voices", State.FAIL, str(exc), "Install npm, or see above")
    except OSError as exc:
        return Finding("voices", State.FAIL, f"{folder}: {exc.strerror}", "Set KOKORO_MODEL_DIR")


def runtime(config: Config) -> Finding:
    """Check that onnxruntime loads and supports the configured device."""
    try:
        from tts.synth.whole import devices
    except (ImportError, OSError) as exc:  # OSError: Windows without the Visual C++ runtime
        return Finding("runtime", State.FAIL, f"onnxruntime does not load: {exc}", INSTALL)
    summary = f"onnxruntime {installed('onnxruntime')} offers {', '.join(devices())}"
    if config.DEVICE.partition(":")[0] not in devices():
        return Finding(
            "runtime", State.FAIL, f"{summary}; KOKORO_DEVICE is {config.DEVICE}", "Set KOKORO_DEVICE to cpu"
        )
    return Finding("runtime", State.OK, summary)


def port(config: Config) -> Finding:
    """Check that the port is free, or that a server of this kind listens on it."""
    where = f"{config.HOST}:{config.PORT}"
    try:
        family = socket.AF_INET6 if ":" in config.HOST else socket.AF_INET
        socket.create_server((config.HOST, config.PORT), family=family).close()
        return Finding("port", State.OK, f"{where} is free")
    except OSError as exc:
        report = health(f"http://127.0.0.1:{config.PORT}")
        if report.get("service") == SERVICE:
            return Finding("port", State.OK, f"{where} has a server of version {report.get('version')}")
        return Finding("port", State.FAIL, f"{where}: {exc.strerror}", "End what has it, or set KOKORO_PORT")


def temp_folder(config: Config) -> Finding:
    """Check that the temp folder can be created and written."""
    folder = config.TEMP_DIR.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as proof:
            proof.write(b"ok")
        return Finding("temp", State.OK, f"{folder} can be written")
    except OSError as exc:
        return Finding("temp", State.FAIL, f"{folder}: {exc.strerror}", "Set KOKORO_TEMP_DIR")


def speed(config: Config) -> Finding:
    """Check that a worker starts and synthesizes a sentence faster than real time."""
    from tts.command.local import Local

    try:
        began = time.perf_counter()
        with closing(Local(config)) as client:
            ready = time.perf_counter()
            size = sum(map(len, client.sound(Wish(SENTENCE), "pcm")))
            spent = time.perf_counter() - ready
    except SpeechError as exc:
        return Finding("speed", State.FAIL, str(exc), "See above; the log (KOKORO_LOG_LEVEL=DEBUG) says more")
    seconds = size / PCM_BYTES / SAMPLE_RATE
    summary = (
        f"{seconds:.1f} s of speech in {spent:.1f} s: {seconds / spent:.1f} x real time, ready in {ready - began:.0f} s"
    )
    if seconds < spent:
        return Finding("speed", State.WARN, summary, "End other programs: sound will stutter while it is streamed")
    return Finding("speed", State.OK, summary)
