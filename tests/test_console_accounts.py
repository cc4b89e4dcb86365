"""Accounts, tokens and the audit at the console."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from console import environment, nightread


def run(*arguments: str, cwd: Path, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "nightread", *arguments],
        cwd=cwd,
        env=environment(),
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert nightread("migrate", cwd=tmp_path).returncode == 0
    return tmp_path


def test_an_account_is_made_changed_and_listed(folder: Path) -> None:
    made = run("user", "add", "anna", cwd=folder, said="a long enough password\n")
    assert made.returncode == 0, made.stderr
    assert (
        run("user", "add", "bert", "--no-password", "--role", "viewer", cwd=folder).returncode == 0
    )
    changed = run("user", "change", "bert", "--role", "admin", "--disable", cwd=folder)
    assert "sign in anew" in changed.stderr
    listed = json.loads(run("user", "list", "--json", cwd=folder).stdout)
    assert [(each["name"], each["role"], each["has_password"]) for each in listed] == [
        ("anna", "radiologist", True),
        ("bert", "admin", False),
    ]
    assert "bert: disabled, by link alone" in run("user", "list", cwd=folder).stdout
    link = run("user", "link", "anna", cwd=folder).stdout
    assert link.startswith("http://127.0.0.1:8080/sign-in/")
    shown = run("audit", "show", cwd=folder).stdout
    assert "bert: role admin, disabled" in shown
    assert "console:" in shown
    assert "a long enough password" not in shown + made.stdout + made.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "why"),
    [
        (("user", "add", "anna"), "short\n", "at least 10"),
        (("user", "add", ""), "a long enough password\n", "1 to 64"),
        (("user", "change", "nobody", "--disable"), "", "no user nobody"),
        (("user", "link", "nobody"), "", "no user nobody"),
        (("token", "revoke", "nothing"), "", "no token nothing"),
        (("token", "create", "x" * 65), "", "1 to 64"),
    ],
)
def test_what_cannot_be_done_is_said(
    folder: Path, arguments: tuple[str, ...], said: str, why: str
) -> None:
    ran = run(*arguments, cwd=folder, said=said)
    assert ran.returncode == 1
    assert why in ran.stderr


def test_a_change_that_says_nothing_is_refused(folder: Path) -> None:
    assert run("user", "change", "anna", cwd=folder).returncode == 2
    assert run("user", "change", "anna", "--disable", "--enable", cwd=folder).returncode == 2


def test_a_token_is_shown_once(folder: Path) -> None:
    secret = run("token", "create", "ohif", cwd=folder).stdout.strip()
    assert secret.startswith("nr_")
    listed = run("token", "list", cwd=folder).stdout
    assert listed.startswith("ohif: viewer, until ")
    assert secret not in listed + run("token", "list", "--json", cwd=folder).stdout
    run("token", "revoke", "ohif", cwd=folder)
    assert run("token", "list", cwd=folder).stdout == "ohif: revoked\n"


def test_the_audit_is_proved_whole_and_found_broken(folder: Path) -> None:
    import sqlite3

    empty = run("audit", "verify", cwd=folder)
    assert (empty.returncode, empty.stdout.startswith("Whole: 0 entries")) == (0, True)
    for name in ("one", "two", "three"):
        run("token", "create", name, cwd=folder)
    whole = json.loads(run("audit", "verify", "--json", cwd=folder).stdout)
    assert (whole["whole"], whole["entries"]) == (True, 3)
    assert run("audit", "verify", "--digest", whole["digest"], cwd=folder).returncode == 0
    with sqlite3.connect(folder / "nightread-data/nightread.sqlite") as around:
        around.execute("DROP TRIGGER audit_no_delete")
        around.execute("DELETE FROM audit WHERE id = 3")
    around.close()
    assert run("audit", "verify", cwd=folder).returncode == 0, "an end that was cut off"
    cut = run("audit", "verify", "--digest", whole["digest"], cwd=folder)
    assert (cut.returncode, "not there any more" in cut.stdout) == (1, True)
    with sqlite3.connect(folder / "nightread-data/nightread.sqlite") as around:
        around.execute("DELETE FROM audit WHERE id = 1")
    around.close()
    broken = run("audit", "verify", cwd=folder)
    assert (broken.returncode, broken.stdout[:17]) == (1, "BROKEN at entry 2")
