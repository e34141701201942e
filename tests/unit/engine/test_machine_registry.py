"""The machines of a cluster by their heartbeat replies: joining, leaving, another build."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

import pytest

from kokoro_server.engine.cluster.machine_registry import MachineRegistry
from kokoro_server.engine.cluster.messages import BuildId

OURS, THEIRS = BuildId("1", "a" * 64), BuildId("2", "a" * 64)


def reply(workers: int = 2, ready: int = 1, build_id: BuildId = OURS) -> dict[str, Any]:
    return {"edition": asdict(build_id), "workers": workers, "ready": ready}


def test_the_latest_reply_counts() -> None:
    registry = MachineRegistry(OURS, 60)
    registry.update({"a": reply(2, 0), "b": reply(1, 1)})
    registry.update({"a": reply(2, 2)})
    assert "a" in registry and "b" in registry and "c" not in registry
    assert sorted((each.workers, each.ready_workers) for each in registry.list_machines()) == [(1, 1), (2, 2)]


def test_a_machine_leaves_when_it_was_silent_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = MachineRegistry(OURS, 6)
    registry.update({"a": reply(), "b": reply(), "other": reply(build_id=THEIRS)})
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + 5)
    registry.update({"a": reply()})
    assert len(registry) == 2 and registry.count_incompatible() == 1
    monkeypatch.setattr(time, "monotonic", lambda: began + 7)
    registry.update({})
    assert "a" in registry and "b" not in registry and len(registry) == 1 and registry.count_incompatible() == 0


def test_a_machine_of_another_build_is_told_once_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    registry = MachineRegistry(OURS, 60)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            registry.update({"other": reply(build_id=THEIRS)})
    assert "other" not in registry and not registry.list_machines() and registry.count_incompatible() == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"Machine other is refused: it has {THEIRS}, expected {OURS}"
    ]
