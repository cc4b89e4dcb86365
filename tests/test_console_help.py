from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from console import ROOT, environment, nightread
from typer.testing import CliRunner

from nightread.console import make_console

COMMANDS = [
    *(
        "demo",
        "up",
        "cases",
        "study",
        "ledger",
        "report",
        "drift",
        "associations",
        "retry",
        "deliveries",
        "resend",
        "send",
        "wrap",
        "doctor",
        "settings",
    ),
    *(
        "listen",
        "work",
        "serve",
        "deliver",
        "night",
        "adt",
        "migrate",
        "backup",
        "restore",
        "verify",
        "support",
    ),
    *("retention", "hold", "export"),
    *("dataset", "train", "evaluate", "compare", "shortcuts", "explain", "version"),
    *("archive", "batch", "user", "token", "points", "model", "patient", "audit", "bundle"),
]


def test_help_lists_every_command(tmp_path: Path) -> None:
    ran = nightread("--help", cwd=tmp_path)
    assert ran.returncode == 0
    assert re.findall(r"^  ([a-z]+)  ", ran.stdout, re.MULTILINE) == COMMANDS
    listed = ran.stdout.partition("Commands:")[2].partition("Settings")[0]
    assert "..." not in listed, "a summary was cut short"
    assert "broker" not in ran.stdout


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from nightread.console import make_console
make_console()(["--help"], standalone_mode=False)
heavy = {"torch", "celery", "sqlalchemy", "pydantic", "numpy", "pydicom", "pynetdicom", "redis"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    ran = CliRunner().invoke(make_console(), [command, "--help"], prog_name="nightread")
    assert ran.exit_code == 0
    assert f"Usage: nightread {command}" in ran.stdout


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"`nightread {command}`" in readme


def test_every_command_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^\| `nightread ([a-z]+)`", readme, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("arguments", [["nonsense"], ["cases", "--nonsense"], ["send"], ["study"]])
def test_a_wrong_call_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    ran = nightread(*arguments, cwd=tmp_path)
    assert ran.returncode == 2
    assert "Usage: nightread" in ran.stderr
    assert ran.stdout == ""


@pytest.mark.parametrize("command", ["up", "listen", "work", "migrate", "cases", "doctor"])
def test_a_wrong_setting_is_named_with_what_is_allowed(tmp_path: Path, command: str) -> None:
    ran = nightread(command, cwd=tmp_path, dicom_port="99999")
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: NIGHTREAD_DICOM_PORT=99999: ")
    assert "65535" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    ran = nightread("doctor", cwd=tmp_path, dicom_prot="11112")
    assert ran.returncode == 2
    assert "NIGHTREAD_DICOM_PROT: no such setting" in ran.stderr


def test_a_missing_library_is_an_error_of_one_line(tmp_path: Path) -> None:
    # A module of that name that cannot be found, as in an installation without the extra.
    code = """
import sys
sys.modules["pynetdicom"] = None
from nightread.console import main
sys.argv = ["nightread", "send", "x"]
main()
"""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: the library pynetdicom is not installed: nightread doctor")


def test_a_folder_of_the_operator_is_no_package_of_ours(tmp_path: Path) -> None:
    for name in ("models", "worker", "dl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('a stranger')")
    assert nightread("version", cwd=tmp_path).returncode == 0
    assert "a stranger" not in nightread("doctor", cwd=tmp_path).stderr
