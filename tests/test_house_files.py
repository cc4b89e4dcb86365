from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from conftest import require
from console import ROOT

from nightread.check_libraries import LIBRARIES
from nightread.console import make_console
from screening.settings import PREFIX, Settings
from screening.settings_source import PLACES

KNOWN = {PREFIX + name.upper() for name in Settings.model_fields} | set(PLACES)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def commands() -> set[str]:
    console = make_console()
    groups = {group.name for group in console.registered_groups}
    return groups | {command.callback.__name__ for command in console.registered_commands}  # type: ignore[union-attr]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def required(entries: list[str]) -> set[str]:
    """Return the plain names of requirements."""
    names = {re.match(r"[A-Za-z0-9-]+", entry)[0].lower() for entry in entries}  # type: ignore[index]
    return names - {"nightread"}


@pytest.mark.parametrize("name", ["docker-compose.yml", "Dockerfile"])
def test_containers_use_settings_that_exist(name: str) -> None:
    assert set(re.findall(r"\bNIGHTREAD_[A-Z0-9_]+\b", read(name))) <= KNOWN


UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def test_units_run_commands_and_use_settings_that_exist() -> None:
    started = [
        command
        for path in UNITS
        for command in re.findall(
            r"^ExecStart=\S+/nightread ([a-z ]+)$", path.read_text(), re.MULTILINE
        )
    ]
    relay = "audit relay"
    assert sorted(started) == [
        "adt",
        relay,
        "deliver",
        "listen",
        "migrate",
        "night",
        "serve",
        "work",
    ]
    named = (ROOT / "deploy" / "systemd" / "settings.conf").read_text()
    assert set(re.findall(r"\bNIGHTREAD_[A-Z0-9_]+\b", named)) <= KNOWN


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_have_no_privileges(path: Path) -> None:
    unit = path.read_text()
    for line in ("User=nightread", "NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077"):
        assert f"\n{line}\n" in unit
    loaded = re.findall(r"^LoadCredential=(\w+)$", unit, re.MULTILINE)
    assert {name for name in loaded if name.upper() in KNOWN} == set(loaded) != set()
    others = {"nightread-migrate.service", "nightread.target", *(each.name for each in UNITS)}
    named = re.findall(r"\bnightread[-.a-z]*\.(?:service|target)\b", unit)
    assert set(named) <= others


def test_a_migration_is_waited_for_and_its_restart_restarts_nothing() -> None:
    # systemd.unit(5): whatever requires a unit is restarted with it, and does not start without it.
    for path in UNITS:
        unit = path.read_text()
        assert "Requires=" not in unit
        if path.name != "nightread-migrate.service":
            assert re.search(r"^Wants=.*\bnightread-migrate.service", unit, re.MULTILINE)
            assert re.search(r"^After=.*\bnightread-migrate.service", unit, re.MULTILINE)
            assert "\nRestart=always\n" in unit
    for name in ("listener", "night"):
        unit = read(f"deploy/systemd/nightread-{name}.service")
        assert "\nReadWritePaths=-/mnt/archive\n" in unit, "who keeps and who removes"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_commands_and_settings_that_exist(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"^(?:\$ )?(?:NIGHTREAD_\S+ )*nightread ([a-z]+)", text, re.MULTILINE))
    assert named <= commands()
    settings = set(re.findall(r"\bNIGHTREAD_[A-Z0-9_]+\b", text)) - {"NIGHTREAD_TEST_DATA"}
    assert {name for name in settings if not name.endswith("_")} <= KNOWN


def test_the_readme_names_what_a_first_installation_decides() -> None:
    named = set(re.findall(r"^\| `(NIGHTREAD_[A-Z0-9_]+)`", read("README.md"), re.MULTILINE))
    assert {"NIGHTREAD_DATA_DIR", "NIGHTREAD_CALLING_AE_TITLES"} <= named <= KNOWN
    assert "docs/settings.md" in read("README.md")


def test_the_readme_names_the_two_commands() -> None:
    assert "\nmake demo\n" in read("README.md")
    assert "\nmake test\n" in read("README.md")


def test_every_target_of_make_is_in_its_help() -> None:
    makefile = read("Makefile")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    for target in set(targets) - {"help", "servers"}:
        assert f"make {target} " in makefile


def test_the_doctor_knows_every_library() -> None:
    extras = PROJECT["optional-dependencies"]
    assert required(PROJECT["dependencies"]) | {"redis"} == set(LIBRARIES[""])
    for extra in ("listener", "worker", "postgres", "s3"):
        assert required(extras[extra]) == set(LIBRARIES[extra])


def test_every_dependency_is_pinned() -> None:
    pins = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", pin) for pin in pins)
    pinned = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
    extras = PROJECT["optional-dependencies"].values()
    everything = [*PROJECT["dependencies"], *(entry for extra in extras for entry in extra)]
    assert required(everything) <= pinned
    assert "torch==2.13.0" in pins
    assert not pinned & {"torchvision", "timm"}


def test_the_installed_versions_are_the_pinned_ones() -> None:
    from importlib.metadata import PackageNotFoundError, version

    differing = {}
    for line in read("constraints.txt").splitlines():
        if line.startswith("#"):
            continue
        name, _, pinned = line.partition("==")
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
        if found != pinned:
            differing[name] = found
    require(not differing, f"other versions than constraints.txt asks for: {differing}")
