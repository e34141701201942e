"""The Kubernetes manifests: valid by the schemas of Kubernetes itself, and in step with each other and with us."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kokoro_server import __version__
from kokoro_server.cli.main import COMMANDS
from kokoro_server.config import SETTINGS, Config, variable
from kokoro_server.engine.base import IMPORT_ROOT

FOLDER = IMPORT_ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.31", "1.37")
"""Kubernetes' own schemas, which kubernetes-validate brings along: the oldest that should work, and the newest."""


@cache
def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """Every object by kind and name."""
    names = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*names, "kustomization.yaml"}
    found = [each for name in names for each in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def deployments() -> dict[str, dict[str, Any]]:
    return {name: each for (kind, name), each in manifests().items() if kind == "Deployment"}


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = deployments()[name]["spec"]["template"]["spec"]
    return found


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    found: dict[str, Any] = only
    return found


def variables(name: str) -> Iterator[str]:
    yield from (each["name"] for each in container(name).get("env", []))
    yield from manifests()["ConfigMap", "kokoro-settings"]["data"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    assert len(manifests()) == 10
    for each in manifests().values():
        kubernetes_validate.validate(each, version, strict=True)


def test_what_is_not_valid_is_noticed() -> None:
    broken = {**manifests()["Deployment", "kokoro-worker"], "replicaz": 1}
    with pytest.raises(kubernetes_validate.ValidationError, match="replicaz"):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", ["kokoro-front", "kokoro-worker", "kokoro-redis"])
def test_selectors_find_the_pods(name: str) -> None:
    labels = deployments()[name]["spec"]["template"]["metadata"]["labels"]
    assert deployments()[name]["spec"]["selector"]["matchLabels"] == labels
    same = [each for each in manifests().values() if each["metadata"].get("labels") == labels]
    for each in same:
        selector = each["spec"].get("selector") or each["spec"].get("podSelector") or labels
        assert selector.get("matchLabels", selector) == labels


def test_every_variable_is_a_setting_that_reads_its_value() -> None:
    settings = {variable(each.name) for each in SETTINGS}
    for name in ("kokoro-front", "kokoro-worker"):
        assert set(variables(name)) <= settings
        plain = {each["name"]: each["value"] for each in container(name)["env"] if "value" in each}
        Config.from_environment(plain | manifests()["ConfigMap", "kokoro-settings"]["data"])


def test_the_pods_run_commands_of_this_version() -> None:
    for name in ("kokoro-front", "kokoro-worker"):
        assert container(name)["image"] == f"kokoro-tts-api:{__version__}"
        assert container(name)["args"][0] in COMMANDS


def test_a_worker_may_end_what_it_has_begun() -> None:
    timeout = float(manifests()["ConfigMap", "kokoro-settings"]["data"]["KOKORO_TIMEOUT"])
    assert pod("kokoro-worker")["terminationGracePeriodSeconds"] > timeout


def test_the_autoscaler_scales_the_workers_alone() -> None:
    scaler = manifests()["HorizontalPodAutoscaler", "kokoro-worker"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "kokoro-worker"
    assert "replicas" not in deployments()["kokoro-worker"]["spec"]
    names = [each.get("external", each.get("resource")) for each in scaler["metrics"]]
    assert names[0]["metric"]["name"] == "kokoro_queue_length" and names[1]["name"] == "cpu"


def test_no_secret_is_written_down() -> None:
    assert not [kind for kind, _ in manifests() if kind == "Secret"]
    for name in ("kokoro-front", "kokoro-worker"):
        (broker,) = [each for each in container(name)["env"] if each["name"] == "KOKORO_BROKER"]
        assert broker["valueFrom"]["secretKeyRef"] == {"name": "kokoro-cluster", "key": "broker"}


@pytest.mark.parametrize("name", ["kokoro-front", "kokoro-worker", "kokoro-redis"])
def test_pods_have_no_more_rights_than_they_need(name: str) -> None:
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["automountServiceAccountToken"] is False
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container(name)["resources"]["limits"]


def test_every_mounted_volume_is_there_and_every_probe_has_a_route() -> None:
    for name in ("kokoro-front", "kokoro-worker"):
        there = {each["name"] for each in pod(name)["volumes"]}
        assert {each["name"] for each in container(name)["volumeMounts"]} == there
    routes = (IMPORT_ROOT / "kokoro_server" / "api").rglob("*.py")
    code = "\n".join(path.read_text("utf-8") for path in routes)
    probes = [container("kokoro-front")[each]["httpGet"]["path"] for each in ("livenessProbe", "readinessProbe")]
    assert all(f'"{path}"' in code for path in (*probes, "/metrics"))
