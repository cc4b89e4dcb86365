from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from console import nightread
from filed_cases import file_study

import migrations
from screening.domain.instance import InstanceState
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records import outbox
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.ledger import read_ledger

FAILED = Exclusion(Reason.ERROR, "its reader died of SIGSEGV while reading")
UNREADABLE = Exclusion(Reason.CANNOT_DECODE, "a transfer syntax of tomorrow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with two studies that were not wholly scored."""
    data = tmp_path / "data"
    data.mkdir()
    records = Records(f"sqlite:///{data / 'nightread.sqlite'}")
    migrations.upgrade(records)
    file_study(records, "1.2.1", Prediction(0.1), FAILED)
    file_study(records, "1.2.2", FAILED, UNREADABLE)
    records.close()
    return data


def states(folder: Path) -> list[str]:
    records = Records(f"sqlite:///{folder / 'nightread.sqlite'}")
    with records.read() as session:
        dossiers = [open_dossier(session, uid) for uid in ("1.2.1", "1.2.2")]
        assert read_ledger(session, dt.datetime.now(dt.UTC)).adds_up
    records.close()
    return [image.state.value for dossier in dossiers if dossier for image in dossier.images]


def test_what_failed_waits_again_and_its_study_is_announced(folder: Path, tmp_path: Path) -> None:
    done = nightread("retry", "--json", cwd=tmp_path, data_dir=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["retried"] == 2
    assert [image["sop_instance_uid"] for image in told["images"]] == ["1.2.1.2", "1.2.2.1"]
    assert states(folder) == ["scored", "waiting", "waiting", "not_scored"]
    records = Records(f"sqlite:///{folder / 'nightread.sqlite'}")
    with records.read() as session:
        assert len(outbox.due(session, dt.datetime.now(dt.UTC))) == 2
        dossier = open_dossier(session, "1.2.2")
        assert dossier is not None
        assert [image.attempts for image in dossier.images] == [0, 0]
        assert dossier.images[0].state is InstanceState.WAITING
    records.close()


def test_a_dry_run_says_what_it_would_be_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    done = nightread("retry", "--dry-run", cwd=tmp_path, data_dir=folder)
    assert "1.2.1.2" in done.stdout
    assert "SIGSEGV" in done.stdout
    assert "2 images would wait again" in done.stderr
    assert states(folder) == ["scored", "not_scored", "not_scored", "not_scored"]


def test_one_reason_of_one_study(folder: Path, tmp_path: Path) -> None:
    arguments = ("retry", "--reason", "cannot_decode", "--study", "1.2.2")
    done = nightread(*arguments, cwd=tmp_path, data_dir=folder)
    assert done.returncode == 0, done.stderr
    assert "1 image waits again" in done.stderr
    assert states(folder) == ["scored", "not_scored", "not_scored", "waiting"]
    assert "No such images" in nightread(*arguments, cwd=tmp_path, data_dir=folder).stderr


def test_a_study_that_never_came_and_a_reason_that_is_none_are_errors(
    folder: Path, tmp_path: Path
) -> None:
    unknown = nightread("retry", "--study", "9.9", cwd=tmp_path, data_dir=folder)
    assert unknown.returncode == 1
    assert "9.9" in unknown.stderr
    none = nightread("retry", "--reason", "bad_luck", cwd=tmp_path, data_dir=folder)
    assert none.returncode == 2
    assert "cannot_decode" in none.stderr
