"""Retention and holds as an administrator meets them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import nightread
from kept_studies import Shelf, digest_of
from typer.testing import CliRunner, Result

import migrations
from nightread.console import make_console
from screening.archive.folder_archive import FolderArchive
from screening.domain.prediction import Prediction
from screening.records.engine import Records
from screening.settings import Settings

OLD = dt.datetime.now(dt.UTC) - dt.timedelta(days=60)
RULES = """
[[rule]]
name = "clear"
verdicts = ["clear"]
keep_days = 30

[[rule]]
name = "flagged"
verdicts = ["suspected", "doubtful"]
keep_days = 300
"""


@pytest.fixture
def shelf(settings: Settings, tmp_path: Path) -> Iterator[Shelf]:
    records = Records(settings.records_url)
    migrations.upgrade(records)
    yield Shelf(records, FolderArchive(settings.archive_dir))
    records.close()


@pytest.fixture
def chosen(settings: Settings, tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "retention.toml"
    file.write_text(RULES)
    return {"data_dir": settings.data_dir, "retention_file": file}


def run(chosen: dict[str, object], *arguments: object) -> Result:
    """Run a command in this process, which is quicker than one of its own."""
    env = {f"NIGHTREAD_{name.upper()}": str(value) for name, value in chosen.items()}
    return CliRunner().invoke(make_console(), [*map(str, arguments)], env=env)


def test_a_dry_run_removes_nothing_and_an_applied_one_what_was_shown(
    shelf: Shelf, chosen: dict[str, object], tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1), Prediction(0.01), now=OLD)
    shelf.file("1.2", Prediction(0.9), now=OLD)
    shelf.file("1.3", Prediction(0.1), None, now=OLD)
    before = shelf.files()
    ran = nightread("retention", cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == (
        "clear: for 30 days: 1 study, 2 files, 0.000 GB may go\n"
        "flagged: for 300 days: 0 studies, 0 files, 0.000 GB may go\n"
        "held back, 1 study, 2 files, 0.000 GB: an image waits for its score\n"
        "of 5 files (0.000 GB) 2 (0.000 GB) may go; nothing was changed: nightread retention "
        "--apply removes them\n"
    )
    ran = nightread("retention", "--json", cwd=tmp_path, **chosen)
    found = json.loads(ran.stdout)
    assert found["due"][0] == {
        "name": "clear",
        "keep_days": 30,
        "studies": 1,
        "files": 2,
        "size_bytes": 2000,
    }
    assert found["held_back"] == {"waiting": {"studies": 1, "files": 2, "size_bytes": 2000}}
    ran = nightread("retention", "--studies", cwd=tmp_path, **chosen)
    assert ran.stdout.splitlines() == [
        "study_instance_uid,rule,since,files,bytes,held_back_by",
        f"1.1,clear,{OLD.isoformat()},2,2000,",
        f"1.3,clear,{OLD.isoformat()},2,2000,waiting",
    ]
    assert shelf.files() == before
    assert shelf.gone() == set()

    ran = nightread("retention", "--apply", "--json", cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert done["removed"] == {"clear": {"studies": 1, "files": 2, "size_bytes": 2000}}
    assert (done["complete"], done["rules_digest"]) == (True, found["rules_digest"])
    assert shelf.files() == before - {digest_of("1.1"), digest_of("1.1", 2)}
    ran = nightread("retention", "--apply", cwd=tmp_path, **chosen)
    assert ran.stdout == "nothing was due\n"


def test_what_was_removed_is_not_missing_and_no_backup_fails_for_it(
    shelf: Shelf, chosen: dict[str, object], tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1), now=OLD)
    shelf.file("1.2", Prediction(0.9), now=OLD)
    nightread("backup", tmp_path / "backup", cwd=tmp_path, **chosen)
    nightread("retention", "--apply", cwd=tmp_path, **chosen)
    ran = nightread("verify", "--json", cwd=tmp_path, **chosen)
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["files"], found["troubles"]) == (0, 1, [])
    ran = nightread("backup", tmp_path / "backup", cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    ledger = nightread("ledger", cwd=tmp_path, **chosen)
    assert ledger.returncode == 0
    lines = [" ".join(line.split()) for line in ledger.stdout.splitlines()]
    assert "Pixels still here 1" in lines
    assert "removed by rule clear 1" in lines
    ran = nightread("study", "1.1", cwd=tmp_path, **chosen)
    assert "by rule clear" in " ".join(ran.stdout.split())

    # The backup has the file of before: what is restored from it says so.
    elsewhere = {**chosen, "data_dir": tmp_path / "elsewhere"}
    nightread("restore", tmp_path / "backup", cwd=tmp_path, **elsewhere)
    ran = nightread("verify", "--json", cwd=tmp_path, **elsewhere)
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["removed_and_there"]) == (0, [digest_of("1.1")])


def test_a_hold_keeps_a_study_until_it_is_released(
    shelf: Shelf, chosen: dict[str, object], tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1), now=OLD)
    placed = run(chosen, "hold", "1.1", "--why", "court, file 17").stderr
    assert "hold 1: the pixels of 1.1 stay until it is released" in placed
    (held,) = json.loads(run(chosen, "retention", "--json").stdout)["held_back"]
    assert held == "on_hold"
    listed = run(chosen, "hold").stdout
    assert listed.startswith("1  1.1  since ")
    assert "court, file 17" in listed
    assert "is released" in run(chosen, "hold", "--release", 1).stderr
    assert run(chosen, "hold").stdout == "no study is on hold\n"
    (released,) = json.loads(run(chosen, "hold", "--all", "--json").stdout)
    assert released["released_at"] is not None
    twice = run(chosen, "hold", "--release", 1)
    assert "was released on" in str(twice.exception)
    ran = nightread("retention", "--apply", cwd=tmp_path, **chosen)
    assert ran.stdout == "removed: clear: 1 study, 1 file, 1000 bytes\n"
    late = run(chosen, "hold", "1.1", "--why", "teaching").stderr
    assert "some were removed before" in late
    audited = run(chosen, "audit", "show").stdout
    for event in ("held", "released", "pixels_removed", "retention_run"):
        assert event in audited


def test_results_that_cannot_be_made_any_more_are_not_sent_again(
    shelf: Shelf, chosen: dict[str, object], tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1), now=OLD)
    shelf.run(OLD + dt.timedelta(days=40))
    file = tmp_path / "destinations.toml"
    place = 'ae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
    file.write_text(f'[[destination]]\nname = "pacs"\n{place}')
    ran = run({**chosen, "destinations_file": file}, "resend", "1.1", "--destination", "pacs")
    assert "have the PACS send it again first" in str(ran.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hold", "9.9", "--why", "x"), "no image of study 9.9 was received"),
        (("hold", "--release", "7"), "there is no hold 7"),
        (("hold", "1.1"), "name a study and --why"),
        (("hold", "--why", "x"), "name a study and --why"),
        (("retention", "--apply", "--studies"), "--studies is for a look"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    shelf: Shelf, chosen: dict[str, object], arguments: tuple[str, ...], said: str
) -> None:
    ran = run(chosen, *arguments)
    assert ran.exit_code != 0
    assert said in " ".join(f"{ran.stderr} {ran.exception}".split())


def test_a_file_that_cannot_be_meant_is_named_and_nothing_goes(
    shelf: Shelf, chosen: dict[str, object], tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1), now=OLD)
    Path(str(chosen["retention_file"])).write_text("[[rule]]\nname = 'a'\nkeep_days = 0\n")
    ran = nightread("retention", "--apply", cwd=tmp_path, **chosen)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: NIGHTREAD_RETENTION_FILE=")
    assert shelf.has("1.1")


def test_without_a_file_everything_is_kept(
    shelf: Shelf, settings: Settings, tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1), now=OLD)
    ran = nightread("retention", "--apply", cwd=tmp_path, data_dir=settings.data_dir)
    assert (ran.returncode, ran.stdout[:30]) == (0, "no rules: everything is kept (")
    look = nightread("retention", cwd=tmp_path, data_dir=settings.data_dir)
    assert "no rules: everything is kept" in look.stdout
    assert shelf.has("1.1")
