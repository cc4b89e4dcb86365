"""The containers' file: what docker-compose makes of it, held against the program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import free_port, require, wait_until
from console import ROOT
from container_settings import (
    SECRETS,
    USER,
    WATCH_PORT,
    commands,
    image_command,
    settings_of,
)

from screening.errors import RecordsError
from screening.queue.broker import is_there
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.port import watched

OURS = {
    "migrate": "migrate",
    "listener": "listen",
    "worker": "work",
    "worklist": "serve",
    "courier": "deliver",
    "night": "night",
    "keeping": "night",
    "relay": "audit relay",
    "adt": "adt",
}
PROFILES = ("results", "night", "keeping", "audit", "patients")
SERVICES = ["postgres", "redis", *OURS]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The whole file."""
    return configured({})


def configured(chosen: dict[str, str]) -> dict[str, Any]:
    """Return the file as docker-compose reads it, which needs no engine."""
    program = shutil.which("docker-compose")
    require(program, "no docker-compose: install Debian's docker-compose")
    assert program is not None
    ran = subprocess.run(
        [program, *(word for name in PROFILES for word in ("--profile", name)), "config"],
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | chosen,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = yaml.safe_load(ran.stdout)
    return found


def test_there_are_these_services_and_no_others(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert any(each.startswith("/tmp:size=") for each in service["tmpfs"])


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root(compose: dict[str, Any], name: str) -> None:
    user = compose["services"][name]["user"]
    assert user == (f"{USER}:{USER}" if name in OURS else name)


def test_the_image_has_that_user() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"groupadd --system --gid {USER} nightread" in dockerfile
    assert f"--uid {USER} --gid {USER}" in dockerfile
    assert "\nUSER nightread\n" in dockerfile


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_limits(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert {"mem_limit", "cpus", "pids_limit"} <= set(service)
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


def test_all_of_ours_are_one_image(compose: dict[str, Any]) -> None:
    assert {compose["services"][name]["image"] for name in OURS} == {"nightread"}


def test_they_run_commands_that_exist(compose: dict[str, Any]) -> None:
    started = {name: compose["services"][name]["command"] for name in OURS}
    assert started == {name: command.split() for name, command in OURS.items()}
    alone = {command for command in OURS.values() if " " not in command}
    assert {*alone, *image_command()} <= commands()


@pytest.mark.parametrize("name", OURS)
def test_a_process_takes_its_settings(
    compose: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = compose["services"][name]
    settings = settings_of(service["environment"], tmp_path, monkeypatch)
    assert settings.records_url == "postgresql+psycopg://nightread:hush@postgres/nightread"
    assert settings.broker_url == "redis://:hush@redis:6379/0"
    assert f"archive:{settings.data_dir}:rw" in service["volumes"]
    for file in (settings.destinations_file, settings.sources_file, settings.retention_file):
        assert file is None or any(each.endswith(f":{file}:ro") for each in service["volumes"])


def test_who_removes_pixels_knows_the_rules_and_whose_results_are_due(
    compose: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = compose["services"]["keeping"]
    settings = settings_of(service["environment"], tmp_path, monkeypatch)
    courier = compose["services"]["courier"]["environment"]
    assert str(settings.destinations_file) == courier["NIGHTREAD_DESTINATIONS_FILE"]
    assert str(settings.retention_file) == "/etc/nightread/retention.toml"
    night = compose["services"]["night"]
    for name in ("NIGHTREAD_SOURCES_FILE", "NIGHTREAD_DICOM_HOST"):
        assert service["environment"][name] == night["environment"][name]
    files = {"destinations.toml", "sources.toml", "retention.toml"}
    for kept_out in (".dockerignore", ".gitignore"):
        assert files <= set((ROOT / kept_out).read_text().splitlines())


def test_who_removes_pixels_needs_no_sources_nor_destinations() -> None:
    found = configured({"SOURCES_FILE": "", "DESTINATIONS_FILE": ""})
    environment = found["services"]["keeping"]["environment"]
    assert environment["NIGHTREAD_SOURCES_FILE"] == ""
    assert environment["NIGHTREAD_DESTINATIONS_FILE"] == ""


def test_secrets_come_by_file_alone(compose: dict[str, Any]) -> None:
    assert set(compose["secrets"]) == set(SECRETS)
    for name, service in compose["services"].items():
        given = {each["source"] for each in service["secrets"]}
        assert given == (set(SECRETS) if name in OURS else given & set(SECRETS))
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or str(value).startswith("/run/secrets/")
    postgres = compose["services"]["postgres"]
    assert postgres["environment"]["POSTGRES_PASSWORD_FILE"] == f"/run/secrets/{SECRETS[0]}"


def test_what_is_kept_is_in_named_volumes(compose: dict[str, Any]) -> None:
    kept = {
        each.partition(":")[0]
        for service in compose["services"].values()
        for each in service["volumes"]
        if not each.startswith("/")
    }
    assert kept == set(compose["volumes"]) == {"archive", "records", "queue"}


def test_the_servers_are_reached_by_ours_alone(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("postgres", "redis"):
        assert set(compose["services"][name]["networks"]) == {"inside"}
        assert "ports" not in compose["services"][name]


def test_what_is_published_is_published_on_this_machine(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    standard = Settings()
    assert published == {
        "listener": [f"127.0.0.1:{standard.dicom_port}:{standard.dicom_port}/tcp"],
        "worklist": [f"127.0.0.1:{standard.worklist_port}:{standard.worklist_port}/tcp"],
        "adt": ["127.0.0.1:2575:2575/tcp"],
    }


def test_each_service_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    migrated = {"migrate": {"condition": "service_completed_successfully"}}
    queued = {"redis": {"condition": "service_healthy"}}
    waits = {name: compose["services"][name].get("depends_on") for name in SERVICES}
    assert waits == {
        "postgres": None,
        "redis": None,
        "migrate": {"postgres": {"condition": "service_healthy"}},
        "listener": migrated | queued,
        "worker": migrated | queued,
        "worklist": migrated,
        "courier": migrated,
        "night": migrated,
        "keeping": migrated,
        "relay": migrated,
        "adt": migrated,
    }


def test_a_process_is_asked_at_its_own_port(
    compose: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    asked = {name: service.get("healthcheck") for name, service in compose["services"].items()}
    assert asked.pop("migrate") is None, "it runs to its end"
    for server in ("postgres", "redis"):
        assert asked.pop(server)
    (check,) = {tuple(each["test"]) for each in asked.values()}  # type: ignore[index]
    for name in asked:
        variables = compose["services"][name]["environment"]
        process = "night" if name == "keeping" else name
        assert variables[f"NIGHTREAD_{process.upper()}_WATCH_PORT"] == WATCH_PORT
    assert check[:2] == ("CMD", "python")
    port = free_port()
    script = check[3].replace(str(WATCH_PORT), str(port))
    command = [sys.executable, check[2], script]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    troubles: list[str] = []

    def archive() -> None:
        if troubles:
            raise RecordsError(troubles[0])

    records = Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    with watched(settings, port, records, {"archive": archive}):
        assert subprocess.run(command, check=False).returncode == 0
        troubles.append("the database is away")
        assert subprocess.run(command, check=False).returncode == 1
    records.close()


def test_redis_takes_its_password_from_the_file_and_shows_it_nowhere(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    require(shutil.which("redis-server"), "no Redis: install Debian's redis-server")
    (tmp_path / SECRETS[1]).write_text("hush hush\n")
    port = free_port()
    service = compose["services"]["redis"]

    def here(text: str) -> str:
        return (
            # config writes $$ for the $ that the shell gets.
            text.replace("$$", "$")
            .replace("/run/secrets", str(tmp_path))
            .replace("/data", str(tmp_path))
            .replace("redis-server - ", f"redis-server - --port {port} --bind 127.0.0.1 ")
            .replace("redis-cli ", f"redis-cli -p {port} ")
        )

    kind, check = service["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    with subprocess.Popen(
        [here(each) for each in service["command"]], stdout=subprocess.DEVNULL
    ) as server:
        try:
            wait_until(lambda: is_there(f"redis://127.0.0.1:{port}"), 10, "Redis listens")
            assert Path(f"/proc/{server.pid}/comm").read_text() == "redis-server\n"
            assert b"hush" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
            assert subprocess.run(["sh", "-c", here(check)], check=False).returncode == 0
            (tmp_path / SECRETS[1]).write_text("other")
            refused = subprocess.run(["sh", "-c", here(check)], capture_output=True, check=False)
            assert refused.returncode != 0
        finally:
            server.terminate()
