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

from kokoro_server.audio.samples import BYTES_PER_SAMPLE, SAMPLE_RATE
from kokoro_server.cli.client import SayOptions
from kokoro_server.cli.http_client import SERVICE_NAME, fetch_health
from kokoro_server.config import Config, usable_cores
from kokoro_server.core.errors import SpeechError

MIN_PYTHON = (3, 11)
DISTRIBUTION_NAME = "kokoro-tts-api"
SPEED_CHECK_TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun for the rest of the day."
REQUIRED_DISK_BYTES = 1_000_000_000
"""Bytes of disk space that weights, voices and prepared graphs need on a new machine, with a margin."""
WORKER_MEMORY_BYTES = 600_000_000
"""Bytes of memory that one worker process needs."""
INSTALL_ADVICE = "Install again: python run.py, or pip install -r requirements.txt"


class CheckStatus(StrEnum):
    """Define the outcome of a check; only FAIL makes `doctor` exit with 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """Hold the result of one check: a summary (`told`) and how to fix a problem. `doctor --json` prints its fields."""

    name: str
    state: CheckStatus
    told: str
    fix: str = ""


Check = Callable[[Config], Finding]


def run_checks(config: Config, with_speed: bool) -> Iterator[Finding]:
    """Run the checks and yield each finding as soon as it is known.

    Stops after a failed package check, since the later checks import those packages. `speak` adds the speed check,
    which starts a worker and takes several seconds.
    """
    yield check_python(config)
    found = check_packages(config)
    yield found
    if found.state is not CheckStatus.FAIL:
        checks: tuple[Check, ...] = (
            check_cpu,
            check_memory,
            check_disk,
            check_model,
            check_voices,
            check_runtime,
            check_port,
            check_temp_folder,
        )
        yield from (check(config) for check in (*checks, *((check_speed,) if with_speed else ())))


def check_python(config: Config) -> Finding:
    """Check that Python is 64-bit and at least MIN_PYTHON."""
    summary = f"{platform.python_implementation()} {platform.python_version()}, {8 * struct.calcsize('P')} bits"
    good = sys.version_info >= MIN_PYTHON and struct.calcsize("P") == 8
    fix = "" if good else f"Install a 64-bit Python {'.'.join(map(str, MIN_PYTHON))} or newer"
    return Finding(
        "python", CheckStatus.OK if good else CheckStatus.FAIL, f"{summary}, on {platform.platform(terse=True)}", fix
    )


def check_packages(config: Config, pins: Mapping[str, str] | None = None) -> Finding:
    """Check that every required package is installed in its tested version; `pins` maps name to version."""
    pins = find_required_packages() if pins is None else pins
    missing = [name for name in pins if find_installed_version(name) is None]
    other = [
        f"{name} {find_installed_version(name)} (tested {pin})"
        for name, pin in pins.items()
        if find_installed_version(name) != pin
    ]
    if missing:
        return Finding("packages", CheckStatus.FAIL, f"missing: {', '.join(missing)}", INSTALL_ADVICE)
    if other:
        return Finding("packages", CheckStatus.WARN, f"other versions: {', '.join(other)}", INSTALL_ADVICE)
    return Finding("packages", CheckStatus.OK, f"all {len(pins)}")


def find_required_packages() -> dict[str, str]:
    """Return the pinned packages that apply to this machine: name to version."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION_NAME) or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        lines = (Path(__file__).parents[2] / "requirements.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if "==" in line]
    return {pin.name: str(pin.specifier)[2:] for pin in pins if pin.marker is None or pin.marker.evaluate()}


def find_installed_version(name: str) -> str | None:
    """Return the installed version of a package, None without one."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_cpu(config: Config) -> Finding:
    """Check the processor, its usable cores and the kernels that would run on it."""
    try:
        summary = f"{platform.machine()}, {describe_kernels(config)}, {usable_cores()} usable cores"
    except ValueError as exc:
        return Finding("cpu", CheckStatus.FAIL, f"KOKORO_DEVICE is {config.DEVICE}: {exc}", "Set KOKORO_DEVICE to cpu")
    if usable_cores() < config.THREADS:
        fix = f"Set KOKORO_THREADS to {usable_cores()} or less"
        return Finding("cpu", CheckStatus.WARN, f"{summary}, but KOKORO_THREADS is {config.THREADS}", fix)
    return Finding("cpu", CheckStatus.OK, summary)


def describe_kernels(config: Config) -> str:
    """Describe what runs the network: our kernels (they need llvmlite) or onnxruntime. Raises ValueError."""
    from kokoro_server.model.kokoro import parse_device

    device, name = parse_device(config.DEVICE)
    if device != "cpu" or name == "onnxruntime":
        return f"onnxruntime on {device}"
    try:
        from llvmlite import binding
    except ImportError as exc:
        if name:
            raise ValueError("there are no kernels of our own without llvmlite") from exc
        return "no kernels of our own, which is slower"
    from kokoro_server.model.native.autotune import get_target, list_candidates

    if name:
        get_target(name)
    return f"{binding.get_host_cpu_name()} with {name or ' or '.join(list_candidates())} kernels"


def check_memory(config: Config) -> Finding:
    """Check that the free memory suffices for the workers."""
    import psutil

    free, wanted = psutil.virtual_memory().available, config.WORKERS * WORKER_MEMORY_BYTES
    summary = f"{free / 1e9:.1f} GB available; {config.WORKERS} workers take about {wanted / 1e9:.1f} GB"
    if free < wanted:
        return Finding("memory", CheckStatus.WARN, summary, "Set KOKORO_WORKERS lower, or end other programs")
    return Finding("memory", CheckStatus.OK, summary)


def check_disk(config: Config) -> Finding:
    """Check the free disk space for weights and voices, at the first folder of the path that exists."""
    folder = next(each for each in (config.MODEL_DIR.absolute(), *config.MODEL_DIR.absolute().parents) if each.exists())
    free = shutil.disk_usage(folder).free
    summary = f"{free / 1e9:.1f} GB free at {folder}"
    if free < REQUIRED_DISK_BYTES:
        return Finding(
            "disk", CheckStatus.WARN, summary, "Make room, or set KOKORO_MODEL_DIR to a folder that has some"
        )
    return Finding("disk", CheckStatus.OK, summary)


def check_model(config: Config) -> Finding:
    """Check that the network's weights are present, or fetch and assemble them."""
    from kokoro_server.model.assets import AssetsMissing, resolve_model

    try:
        config.MODEL_DIR.mkdir(parents=True, exist_ok=True)
        return Finding("model", CheckStatus.OK, str(resolve_model(config.MODEL_DIR, config.MODEL)))
    except AssetsMissing as exc:
        return Finding("model", CheckStatus.FAIL, str(exc), "See above")
    except OSError as exc:
        return Finding("model", CheckStatus.FAIL, f"{config.MODEL_DIR}: {exc.strerror}", "Set KOKORO_MODEL_DIR")


def check_voices(config: Config) -> Finding:
    """Check that every voice is present, or fetch it."""
    from kokoro_server.model.assets import AssetsMissing, ensure_voices, load_pinned_voices

    folder = config.MODEL_DIR / "voices"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ensure_voices(folder, config.HUB, load_pinned_voices())
        return Finding("voices", CheckStatus.OK, f"all {len(load_pinned_voices())} in {folder}")
    except AssetsMissing as exc:
        return Finding("voices", CheckStatus.FAIL, str(exc), "Install npm, or see above")
    except OSError as exc:
        return Finding("voices", CheckStatus.FAIL, f"{folder}: {exc.strerror}", "Set KOKORO_MODEL_DIR")


def check_runtime(config: Config) -> Finding:
    """Check that onnxruntime loads and supports the configured device."""
    try:
        from kokoro_server.model.onnx.backend import list_devices
    except (ImportError, OSError) as exc:  # OSError: Windows without the Visual C++ runtime
        return Finding("runtime", CheckStatus.FAIL, f"onnxruntime does not load: {exc}", INSTALL_ADVICE)
    summary = f"onnxruntime {find_installed_version('onnxruntime')} offers {', '.join(list_devices())}"
    if config.DEVICE.partition(":")[0] not in list_devices():
        return Finding(
            "runtime", CheckStatus.FAIL, f"{summary}; KOKORO_DEVICE is {config.DEVICE}", "Set KOKORO_DEVICE to cpu"
        )
    return Finding("runtime", CheckStatus.OK, summary)


def check_port(config: Config) -> Finding:
    """Check that the port is free, or that a server of this kind listens on it."""
    where = f"{config.HOST}:{config.PORT}"
    try:
        family = socket.AF_INET6 if ":" in config.HOST else socket.AF_INET
        socket.create_server((config.HOST, config.PORT), family=family).close()
        return Finding("port", CheckStatus.OK, f"{where} is free")
    except OSError as exc:
        report = fetch_health(f"http://127.0.0.1:{config.PORT}")
        if report.get("service") == SERVICE_NAME:
            return Finding("port", CheckStatus.OK, f"{where} has a server of version {report.get('version')}")
        return Finding("port", CheckStatus.FAIL, f"{where}: {exc.strerror}", "End what has it, or set KOKORO_PORT")


def check_temp_folder(config: Config) -> Finding:
    """Check that the temp folder can be created and written."""
    folder = config.TEMP_DIR.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as proof:
            proof.write(b"ok")
        return Finding("temp", CheckStatus.OK, f"{folder} can be written")
    except OSError as exc:
        return Finding("temp", CheckStatus.FAIL, f"{folder}: {exc.strerror}", "Set KOKORO_TEMP_DIR")


def check_speed(config: Config) -> Finding:
    """Check that a worker starts and synthesizes a sentence faster than real time."""
    from kokoro_server.cli.local_client import LocalClient

    try:
        began = time.perf_counter()
        with closing(LocalClient(config)) as client:
            ready = time.perf_counter()
            size = sum(map(len, client.stream_audio(SayOptions(SPEED_CHECK_TEXT), "pcm")))
            spent = time.perf_counter() - ready
    except SpeechError as exc:
        return Finding("speed", CheckStatus.FAIL, str(exc), "See above; the log (KOKORO_LOG_LEVEL=DEBUG) says more")
    seconds = size / BYTES_PER_SAMPLE / SAMPLE_RATE
    summary = (
        f"{seconds:.1f} s of speech in {spent:.1f} s: {seconds / spent:.1f} x real time, ready in {ready - began:.0f} s"
    )
    if seconds < spent:
        return Finding(
            "speed", CheckStatus.WARN, summary, "End other programs: sound will stutter while it is streamed"
        )
    return Finding("speed", CheckStatus.OK, summary)
