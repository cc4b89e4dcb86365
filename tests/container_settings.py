"""What a container's process makes of its environment: the image's, and what it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from console import ROOT

from nightread.console import make_console
from screening.settings import Settings
from screening.settings_source import load_settings

USER = 10001
SECRETS = ("nightread_database_password", "nightread_redis_password")
WATCH_PORT = 9100


def image_environment() -> dict[str, str]:
    """Return the variables of ours that the Dockerfile sets."""
    return dict(re.findall(r"(NIGHTREAD_[A-Z_]+)=(\S+)", (ROOT / "Dockerfile").read_text()))


def image_command() -> list[str]:
    """Return what the image runs by itself."""
    return re.findall(r'^CMD \["([a-z]+)"\]$', (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def settings_of(
    given: Mapping[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Return the settings of a container, whose secrets are those that it is given."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in SECRETS:
        (folder / name).write_text("hush\n")
    assert given["NIGHTREAD_SECRETS_DIR"] == "/run/secrets"
    ours = {name: value for name, value in given.items() if name.startswith("NIGHTREAD_")}
    monkeypatch.chdir(tmp_path)
    for name, value in {**image_environment(), **ours, "NIGHTREAD_SECRETS_DIR": folder}.items():
        monkeypatch.setenv(name, str(value))
    return load_settings()


def commands() -> set[str]:
    """Return the console's commands that are no groups of others."""
    return {each.callback.__name__ for each in make_console().registered_commands if each.callback}
