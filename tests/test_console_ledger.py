from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from busy_night import BusyNight
from conftest import wait_until
from console import leave_early, nightread
from filed_cases import file_study
from installation import Installation
from rich.console import Console
from typer.testing import CliRunner, Result

import migrations
from nightread.console import make_console
from phantoms.load import write_load
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.association import (
    Caller,
    Outcome,
    close_association,
    count_refusals,
    open_association,
    reject_association,
)
from screening.records.calls import list_calls
from screening.records.engine import Records
from screening.records.ledger import read_ledger
from screening.settings import Settings
from worklist.call_list import call_list
from worklist.ledger_sheet import ledger_sheet

HOSTILE = "=cmd\x1b]0;owned\x07\x1b[2J[bold red]\u202eEVE\r\n"
NOW = dt.datetime.min


@pytest.fixture(autouse=True)
def _half_an_hour_ago() -> None:
    """Set NOW anew: a run of all tests takes longer than what these tests read as half an hour."""
    global NOW
    NOW = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30)


@pytest.fixture
def records(settings: Settings) -> Iterator[Records]:
    opened = Records(settings.records_url)
    migrations.upgrade(opened)
    yield opened
    opened.close()


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(
        make_console(), arguments, env={"NIGHTREAD_DATA_DIR": str(settings.data_dir)}
    )


def call(records: Records, calling: str = "PACS", address: str = "10.1.4.23") -> None:
    """Let somebody call with a refused image, and a second time in vain."""
    caller = Caller(calling, "NIGHTREAD", address, "here:11112")
    with records.begin() as session:
        row = open_association(session, caller, NOW)
        count_refusals(session, row, f"0xA700 no room {calling}")
        close_association(
            session, row, outcome=Outcome.RELEASED, now=NOW + dt.timedelta(seconds=12)
        )
        why = f"{calling!r} is not among NIGHTREAD_CALLING_AE_TITLES: to admit it, add {calling}"
        reject_association(session, caller, NOW, why)


def test_a_complete_night_says_so(settings: Settings, records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9), Exclusion(Reason.TOO_SMALL), now=NOW)
    ran = run(settings, "ledger")
    assert ran.exit_code == 0
    words = " ".join(ran.stdout.split())
    assert "Images received 2 scored 1 not scored 1 too small 1 waiting 0" in words
    assert "The ledger adds up: 2 received = 1 scored + 1 not scored + 0 waiting" in words
    assert "2 answered as stored = 2 received." in words
    assert "The night is complete: nothing waits for a score." in words


def test_an_incomplete_night_says_for_how_long(settings: Settings, records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9), None, now=NOW)
    call(records)
    ran = run(settings, "ledger")
    assert ran.exit_code == 0, "it adds up, and is not over"
    # A minute or more may pass until it is asked.
    assert re.search(r"not complete: 1 waiting, the oldest for 3\d min\.", ran.stdout)
    assert "At the door: 1 image refused, 1 association rejected; nightread associations" in (
        " ".join(ran.stdout.split())
    )


def test_a_night_in_which_nothing_came_is_not_called_complete(
    settings: Settings, records: Records
) -> None:
    assert "Nothing waits, and nothing came" in run(settings, "ledger").stdout


@pytest.mark.parametrize("options", [[], ["--json"], ["--since", "2h"]])
def test_a_ledger_that_does_not_add_up_fails_and_says_what(
    settings: Settings, records: Records, options: list[str]
) -> None:
    file_study(records, "1.2", Prediction(0.9), Prediction(0.1), now=NOW)
    with sqlite3.connect(settings.data_dir / "nightread.sqlite") as connection:
        connection.execute("DELETE FROM scores WHERE instance_row = 1")
    connection.close()
    ran = run(settings, "ledger", *options)
    assert ran.exit_code == 1
    assert "of the images marked as scored, 1 have no score and no reason" in ran.stdout
    assert "adds up:" not in ran.stdout


def test_json_has_every_count(settings: Settings, records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9), Exclusion(Reason.ERROR), None, now=NOW)
    call(records)
    found = json.loads(run(settings, "ledger", "--json", "--since", "1h").stdout)
    assert (found["adds_up"], found["complete"], found["failed"]) == (True, False, 1)
    assert found["images"] == {
        "received": 3,
        "scored": 1,
        "not_scored": 1,
        "waiting": 1,
        "reasons": {"error": 1},
        "conflicts": 0,
        "oldest_waiting_since": NOW.isoformat(),
    }
    assert found["answers"] == {
        "stored": 3,
        "duplicates": 0,
        "conflicts": 0,
        "refused": 1,
        "total": 4,
    }
    assert found["associations"] == {"open": 1, "released": 1, "rejected": 1}
    assert found["discrepancies"] == []


def test_a_moment_excludes_what_came_before(settings: Settings, records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9), now=NOW)
    found = json.loads(run(settings, "ledger", "--json", "--since", "10m").stdout)
    assert (found["images"]["received"], found["answers"]["stored"]) == (0, 1)
    assert found["stored_earlier"] == 1, "by an association that is still open"
    assert found["adds_up"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_sheets_fit_a_terminal_and_nothing_acts_on_it(records: Records, width: int) -> None:
    file_study(records, "1.2", Prediction(0.9), None, now=NOW)
    call(records, HOSTILE, "2001:db8:1234:5678:9abc:def0:1234:5678")
    call(records, "CR_ROOM_1_LONG_T")
    now = dt.datetime.now(dt.UTC)
    with records.read() as session:
        ledger = read_ledger(session, now)
    with records.read() as session:
        calls = list_calls(session)
    console = Console(file=io.StringIO(), width=width)
    console.print(ledger_sheet(ledger), call_list(calls, now, width))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert all(len(line) <= width for line in text.splitlines())
    assert "[bold red]" in text, "rich's markup is text too, and no style"
    assert "from 2001:db8:1234:5678:9abc:def0:1234:5678" in text


def test_instances_are_csv_or_a_json_object_on_each_line(
    settings: Settings, records: Records
) -> None:
    file_study(records, "=1.2", Prediction(0.9), None, now=NOW, patient_name="DOE^JANE")
    ran = run(settings, "ledger", "--instances")
    assert ran.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(ran.stdout, newline="")))
    assert [row["state"] for row in rows] == ["scored", "waiting"]
    assert rows[0]["sop_instance_uid"] == "'=1.2.1", "no formula for a spreadsheet"
    assert (rows[0]["probability"], rows[1]["probability"]) == ("0.9", "")
    ran = run(settings, "ledger", "--instances", "--json", "--since", "1h")
    scored, waiting = map(json.loads, ran.stdout.splitlines())
    assert list(scored) == list(rows[0])
    assert scored["sop_instance_uid"] == "=1.2.1"
    assert dt.datetime.fromisoformat(scored["received_at"]) == NOW
    assert waiting["settled_at"] is None
    assert "DOE" not in ran.stdout


def test_a_reader_that_goes_early_ends_the_lines_quietly(
    settings: Settings, records: Records, tmp_path: Path
) -> None:
    for number in range(40):
        file_study(records, f"1.{number}", *[None] * 10, now=NOW)
    left = leave_early("ledger", "--instances", cwd=tmp_path, data_dir=settings.data_dir)
    assert left == (0, b"")


def test_the_command_itself_adds_up_while_images_come(
    settings: Settings, records: Records, tmp_path: Path
) -> None:
    def watch() -> None:
        ran = nightread("ledger", cwd=tmp_path, data_dir=settings.data_dir)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    BusyNight(records, associations=10, images=20).run(watch)


def test_associations_say_who_called_and_why_not(settings: Settings, records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9), now=NOW)
    call(records, "XR_ROOM")
    ran = run(settings, "associations")
    assert ran.exit_code == 0
    words = " ".join(ran.stdout.split())
    assert "XR_ROOM NIGHTREAD 10.1.4.23 released 12 s" in words
    assert "to admit it, add XR_ROOM" in words
    assert "1 refused, the last: 0xA700 no room XR_ROOM" in words
    assert re.search(r"PACS NIGHTREAD 127\.0\.0\.1 open 3\d min 1", words)


def test_the_refused_can_be_seen_alone(settings: Settings, records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9), now=NOW)
    call(records, "XR_ROOM")
    found = json.loads(run(settings, "associations", "--refused", "--json").stdout)
    assert [(item["outcome"], item["refused"]) for item in found] == [
        ("rejected", 0),
        ("released", 1),
    ]
    assert found[0]["explanation"].startswith("'XR_ROOM' is not among")
    assert found[1]["last_refusal"] == "0xA700 no room XR_ROOM"
    assert found[0]["association"] == 3


def test_the_list_of_associations_may_be_cut(settings: Settings, records: Records) -> None:
    assert run(settings, "associations").stdout == "No such associations.\n"
    for number in range(3):
        call(records, f"ROOM_{number}")
    ran = run(settings, "associations", "--limit", "2")
    assert "The newest 2" in ran.stderr
    assert len(json.loads(run(settings, "associations", "--limit", "0", "--json").stdout)) == 6
    assert run(settings, "associations", "--since", "5m", "--json").stdout == "[]\n"


@pytest.mark.parametrize("command", ["ledger", "associations"])
def test_a_moment_that_is_none_is_refused(settings: Settings, command: str) -> None:
    assert run(settings, command, "--since", "soon").exit_code == 2


@pytest.mark.parametrize("command", ["ledger", "associations"])
def test_where_there_are_no_records_nothing_is_made(tmp_path: Path, command: str) -> None:
    ran = nightread(command, cwd=tmp_path)
    assert ran.returncode == 1
    assert "nightread up" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_dcmtk_was_answered_at_the_door_is_on_record(
    settings: Settings, dcmtk: Path, tmp_path: Path
) -> None:
    installation = Installation(settings.model_copy(update={"calling_ae_titles": ("ADMITTED",)}))
    try:
        installation.start("listen")
        wait_until(lambda: listens(settings.dicom_port), 30, "the door opens")
        paths = write_load(tmp_path / "load", 2, 2)
        for title, accepted in (("ADMITTED", True), ("STRANGER", False)):
            where = ["-aet", title, "-aec", "NIGHTREAD", "127.0.0.1", str(settings.dicom_port)]
            ran = subprocess.run([dcmtk / "storescu", *where, *paths], check=False)
            assert (ran.returncode == 0) == accepted
    finally:
        installation.stop()
    refused = json.loads(run(settings, "associations", "--refused", "--json").stdout)
    assert [item["calling_ae_title"] for item in refused] == ["STRANGER"]
    assert "NIGHTREAD_CALLING_AE_TITLES=ADMITTED,STRANGER" in refused[0]["explanation"]
    ran = run(settings, "ledger", "--json")
    assert ran.exit_code == 0
    found = json.loads(ran.stdout)
    assert found["answers"]["total"] == found["images"]["waiting"] == 4
    assert found["associations"] == {"released": 1, "rejected": 1}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
