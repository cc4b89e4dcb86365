"""The example for Kubernetes: against Kubernetes's own schemas, and against the program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from console import ROOT
from container_settings import SECRETS, USER, WATCH_PORT, commands, settings_of
from prometheus_client import CollectorRegistry

from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.state import State

FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.27", "1.34"
WORKLOADS = {
    "migrate": "migrate",
    "listener": "listen",
    "worker": "work",
    "worklist": "serve",
    "courier": "deliver",
    "night": "night",
    "relay": "audit relay",
    "adt": "adt",
}
SERVERS = [name for name in WORKLOADS if name != "migrate"]


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object with its file's name."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for each in yaml.safe_load_all(path.read_text()):
            yield path.name, each


OBJECTS = list(objects())
NAMES = [f"{each['kind']} {each.get('metadata', {}).get('name', file)}" for file, each in OBJECTS]


def of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    """Return the objects of some kinds by their names, without the project's."""
    return {
        each["metadata"]["name"].removeprefix("nightread-"): each
        for _, each in OBJECTS
        if each["kind"] in kinds
    }


WORK = of_kind("Deployment", "Job")


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = WORK[name]["spec"]["template"]["spec"]
    return found


def container(name: str) -> dict[str, Any]:
    (found,) = pod(name)["containers"]
    assert isinstance(found, dict)
    return found


def ports(name: str) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container(name).get("ports", [])}


def environment(name: str) -> dict[str, str]:
    assert container(name)["envFrom"] == [{"configMapRef": {"name": "nightread-settings"}}]
    shared = of_kind("ConfigMap")["settings"]["data"]
    return {
        **shared,
        **{each["name"]: each["value"] for each in container(name).get("env", [])},
    }


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(("file", "given"), OBJECTS, ids=NAMES)
def test_kubernetes_takes_each_object(file: str, given: dict[str, Any], version: str) -> None:
    if given["kind"] in ("ScaledObject", "Kustomization"):
        assert file in ("worker-scaling.yaml", "kustomization.yaml"), "of others, tested below"
        return
    kubernetes_validate.validate(given, version, strict=True)


def test_the_list_of_files_is_whole() -> None:
    (listed,) = (each for _, each in OBJECTS if each["kind"] == "Kustomization")
    chosen = re.findall(r"^  - (?:\S+/)?(\S+\.yaml)$", read("kustomization.yaml"), re.MULTILINE)
    assert chosen == listed["resources"]
    offered = re.findall(r"^  # - (\S+\.yaml)$", read("kustomization.yaml"), re.MULTILINE)
    assert {*chosen, *offered, "kustomization.yaml", "secrets.example.yaml"} == {
        path.name for path in FOLDER.iterdir()
    }


def read(name: str) -> str:
    return (FOLDER / name).read_text()


def test_there_is_a_workload_for_each_process() -> None:
    assert {name: container(name)["args"] for name in WORK} == {
        name: command.split() for name, command in WORKLOADS.items()
    }
    assert {command for command in WORKLOADS.values() if " " not in command} <= commands()


def test_the_archive_is_made_once_by_who_makes_the_schema() -> None:
    (made,) = pod("migrate")["initContainers"]
    assert made["args"] == ["archive", "create"]
    assert {**made, "name": "migrate", "args": ["migrate"]} == container("migrate")
    assert not any("initContainers" in pod(name) for name in SERVERS)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_confined(name: str) -> None:
    assert pod(name)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(name)["automountServiceAccountToken"] is False
    assert set(container(name)["resources"]["limits"]) == {"cpu", "memory"}
    assert set(container(name)["resources"]["requests"]) == {"cpu", "memory"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_process_takes_its_settings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(environment(name), tmp_path, monkeypatch)
    assert settings.open_to_all is False
    assert settings.database_password.get_secret_value() == "hush"
    mounts = {each["mountPath"]: each["name"] for each in container(name)["volumeMounts"]}
    assert mounts[str(settings.archive_dir)] == "archive"
    assert mounts[str(settings.data_dir)] == "data"
    assert mounts["/tmp"] == "tmp"
    assert mounts[environment(name)["NIGHTREAD_SECRETS_DIR"]] == "secrets"
    for file in (settings.destinations_file, settings.sources_file, settings.retention_file):
        assert file is None or str(file.parent) in mounts
    assert set(mounts.values()) == {each["name"] for each in pod(name)["volumes"]}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_service_s_name_is_no_setting(name: str) -> None:
    # NIGHTREAD_LISTENER_SERVICE_HOST, and the process would refuse to start.
    assert pod(name)["enableServiceLinks"] is False


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_a_pod_mounts_is_there(name: str) -> None:
    volumes = {each["name"]: each for each in pod(name)["volumes"]}
    assert volumes["archive"]["persistentVolumeClaim"]["claimName"] == "nightread-archive"
    assert "emptyDir" in volumes["data"], "what is a pod's own is shared with none"
    assert volumes["secrets"]["secret"] == {
        "secretName": "nightread-secrets",
        "defaultMode": 0o440,
    }
    assert of_kind("PersistentVolumeClaim")["archive"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert set(of_kind("Secret")["secrets"]["stringData"]) == set(SECRETS)


@pytest.mark.parametrize("name", SERVERS)
def test_a_process_is_probed_where_it_answers(name: str) -> None:
    assert ports(name)["watch"] == WATCH_PORT
    assert environment(name)[f"NIGHTREAD_{name.upper()}_WATCH_PORT"] == str(WATCH_PORT)
    assert environment(name)["NIGHTREAD_WATCH_HOST"] == "0.0.0.0"
    probes = {
        kind: container(name)[kind]["httpGet"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert probes == {
        "startupProbe": {"path": "/healthz", "port": "watch"},
        "livenessProbe": {"path": "/healthz", "port": "watch"},
        "readinessProbe": {"path": "/readyz", "port": "watch"},
    }


def test_named_ports_are_those_of_the_settings() -> None:
    standard = Settings()
    assert ports("listener")["dicom"] == standard.dicom_port
    assert ports("worklist")["http"] == standard.worklist_port
    assert str(ports("adt")["hl7"]) == environment("adt")["NIGHTREAD_ADT_PORT"]


def test_selectors_find_their_pods() -> None:
    labels = {name: WORK[name]["spec"]["template"]["metadata"]["labels"] for name in WORK}
    for name in SERVERS:
        assert WORK[name]["spec"]["selector"]["matchLabels"] == labels[name]
    for name, service in of_kind("Service").items():
        assert service["spec"]["selector"] == labels[name]
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports(name)
    for name, budget in of_kind("PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"] == labels[name]


def test_network_policies_select_pods_and_name_their_ports() -> None:
    for policy in of_kind("NetworkPolicy").values():
        chosen = selected(policy["spec"]["podSelector"])
        assert chosen, policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                assert all(port["port"] in ports(name) for name in chosen if name != "migrate")


def test_whoever_calls_our_own_door_is_let_out_and_in() -> None:
    callers = {name for name in WORKLOADS if "NIGHTREAD_DICOM_HOST" in environment(name)}
    assert callers == {"night"}
    host = environment("night")["NIGHTREAD_DICOM_HOST"]
    assert host.removeprefix("nightread-") in of_kind("Service")
    out, into = allowed("egress", "to", "night"), allowed("ingress", "from", "listener")
    assert {"listener"} in out
    assert {"night"} in into
    admitted = environment("listener")["NIGHTREAD_CALLING_AE_TITLES"].split(",")
    assert environment("night")["NIGHTREAD_AE_TITLE"] in admitted


def allowed(direction: str, end: str, name: str) -> list[set[str]]:
    """Return the workloads that the policies of one let it reach, or be reached from."""
    return [
        selected(peer["podSelector"])
        for policy in of_kind("NetworkPolicy").values()
        if name in selected(policy["spec"]["podSelector"])
        for rule in policy["spec"].get(direction, [])
        for peer in rule[end]
        if "podSelector" in peer
    ]


def test_no_pod_is_without_a_network_policy() -> None:
    (everyone,) = (
        policy
        for policy in of_kind("NetworkPolicy").values()
        if selected(policy["spec"]["podSelector"]) == set(WORKLOADS)
    )
    assert everyone["spec"]["policyTypes"] == ["Ingress", "Egress"]


def selected(selector: dict[str, Any]) -> set[str]:
    """Return the workloads whose pods a selector finds."""
    found = set()
    for name, each in WORK.items():
        labels = each["spec"]["template"]["metadata"]["labels"]
        fits = all(labels.get(key) == value for key, value in selector["matchLabels"].items())
        for rule in selector.get("matchExpressions", []):
            assert rule["operator"] == "In"
            fits = fits and labels.get(rule["key"]) in rule["values"]
        if fits:
            found.add(name)
    return found


def test_workers_are_scaled_by_figures_that_exist(settings: Settings, records: Records) -> None:
    (scaled,) = of_kind("ScaledObject").values()
    target = scaled["spec"]["scaleTargetRef"]["name"].removeprefix("nightread-")
    assert "replicas" not in WORK[target]["spec"], "two would set it"
    (trigger,) = scaled["spec"]["triggers"]
    # The parameters of KEDA's prometheus scaler, keda.sh/docs/latest/scalers/prometheus.
    assert set(trigger) <= {"type", "metricType", "metadata", "name"}
    known = {"serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues"}
    assert set(trigger["metadata"]) <= known
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    registry = CollectorRegistry()
    registry.register(State(settings, records))
    told = {metric.name for metric in registry.collect()}
    named = set(re.findall(r"\bnightread_\w+", trigger["metadata"]["query"]))
    assert named == {"nightread_waiting_images", "nightread_records_up"}
    assert named <= told


def test_one_night_at_a_time() -> None:
    night = WORK["night"]["spec"]
    assert (night["replicas"], night["strategy"]) == (1, {"type": "Recreate"})


def test_the_night_offers_to_remove_pixels_by_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = re.sub(
        r"^( +)# (- \{name: NIGHTREAD_)", r"\1\2", read("night.yaml"), flags=re.MULTILINE
    )
    (found,) = yaml.safe_load(written)["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each["value"] for each in found["env"]}
    settings = settings_of({**environment("night"), **given}, tmp_path, monkeypatch)
    (mounted,) = (each["mountPath"] for each in found["volumeMounts"] if each["name"] == "files")
    assert settings.retention_file == Path(mounted) / "retention.toml"
    courier = environment("courier")["NIGHTREAD_DESTINATIONS_FILE"]
    assert str(settings.destinations_file) == courier
    assert environment("night").keys() < {**environment("night"), **given}.keys()


@pytest.mark.parametrize("name", SERVERS)
def test_a_pod_has_time_to_finish(name: str) -> None:
    given = environment(name)
    drain = float(given.get("NIGHTREAD_DRAIN_SECONDS", Settings().drain_seconds))
    assert pod(name)["terminationGracePeriodSeconds"] >= drain + 15
