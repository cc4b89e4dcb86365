from __future__ import annotations

import json
from pathlib import Path

import pytest
from console import ROOT, nightread

from nightread.check_secrets import check_secrets
from nightread.finding import Level
from screening.settings import PREFIX, Settings


def test_every_setting_is_listed_with_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "nightread.env").write_text("NIGHTREAD_MODEL=resnet18\n")
    ran = nightread("settings", cwd=tmp_path, ae_title="HERE")
    assert ran.returncode == 0, ran.stderr
    lines = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines()}
    assert lines["NIGHTREAD_AE_TITLE"] == ["HERE", "environment"]
    assert lines["NIGHTREAD_MODEL"] == ["resnet18", "nightread.env"]
    assert lines["NIGHTREAD_DICOM_PORT"] == ["11112", "default"]
    assert {PREFIX + name.upper() for name in Settings.model_fields} <= set(lines)


def test_what_is_set_somewhere_can_be_had_alone(tmp_path: Path) -> None:
    ran = nightread(
        "settings", "--changed", "--json", cwd=tmp_path, commitment_peers="A=[::1]:104,B=h:1"
    )
    ours = "NIGHTREAD_WORKER_THREADS"  # each test's, see console.environment
    assert [each for each in json.loads(ran.stdout) if each["name"] != ours] == [
        {
            "name": "NIGHTREAD_COMMITMENT_PEERS",
            "value": "A=::1:104,B=h:1",
            "default": "",
            "source": "environment",
        }
    ]


def test_a_password_within_an_address_is_not_listed(tmp_path: Path) -> None:
    ran = nightread("settings", cwd=tmp_path, database_url="postgresql://u:hush@h/db")
    assert "hush" not in ran.stdout
    assert "u:***@h/db" in ran.stdout


def test_the_reference_needs_no_settings_that_are_right(tmp_path: Path) -> None:
    ran = nightread("settings", "--markdown", cwd=tmp_path, dicom_port="wrong")
    assert ran.stdout == (ROOT / "docs" / "settings.md").read_text()
    assert nightread("settings", cwd=tmp_path, dicom_port="wrong").returncode == 2


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "level"),
    [(0o755, 0o440, Level.OK), (0o755, 0o444, Level.WARN), (0o700, 0o444, Level.OK)],
)
def test_the_doctor_warns_of_a_secret_that_anybody_can_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_mode: int,
    file_mode: int,
    level: Level,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "secrets"
    folder.mkdir()
    file = folder / "nightread_redis_password"
    file.write_text("hush")
    file.chmod(file_mode)
    folder.chmod(folder_mode)
    monkeypatch.setenv("NIGHTREAD_SECRETS_DIR", str(folder))
    (found,) = check_secrets()
    assert found.level is level
    assert (str(file) in found.detail) is (level is Level.WARN)
    assert "hush" not in found.detail
