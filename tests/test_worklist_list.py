from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path

import pytest
from filed_cases import NOW, SCORER, file_study
from rich.console import Console, RenderableType

import migrations
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.case_filter import EVERYTHING
from screening.records.cases import Case, list_cases
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.results import Scorer
from screening.records.tally import tally
from worklist.file_table import file_table
from worklist.objects import case_object, dossier_object
from worklist.spreadsheet import spreadsheet
from worklist.study_sheet import study_sheet
from worklist.table import case_table, tally_line

KEYS = [
    "study_instance_uid",
    "verdict",
    "score",
    "patient_name",
    "patient_id",
    "patient_sex",
    "age_years",
    "accession_number",
    "body_part",
    "study_date",
    "study_time",
    "study_description",
    "images_received",
    "images_scored",
    "images_not_scored",
    "images_waiting",
    "reasons",
    "conflicts",
    "patients",
    "model",
    "model_version",
    "revision",
    "received_at",
    "decided_at",
    "lane",
    "calling_ae_title",
    "review",
    "cursor",
]
HOSTILE = "=cmd|' /C calc'!A0\x1b]0;owned\x07\x1b[2J[bold red]\u202eGPJ^EVE\r\n"


@pytest.fixture
def sqlite_records(tmp_path: Path) -> Records:
    records = Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    migrations.upgrade(records)
    return records


def every(records: Records) -> list[Case]:
    with records.read() as session:
        return list_cases(session, EVERYTHING, limit=None)


def shown(part: RenderableType, width: int = 160, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(part)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_case_has_its_fields_in_json(sqlite_records: Records) -> None:
    file_study(
        sqlite_records,
        "1.2.3",
        Prediction(0.75),
        Exclusion(Reason.TOO_SMALL, "40 x 40"),
        patient_name="DOE^JANE",
        accession_number="A1",
        study_date=dt.date(2026, 3, 1),
        study_time=dt.time(21, 30),
    )
    (case,) = every(sqlite_records)
    found = json.loads(json.dumps(case_object(case)))
    assert list(found) == KEYS
    assert found["verdict"] == "suspected"
    assert found["score"] == 0.75
    assert found["study_date"] == "2026-03-01"
    assert found["study_time"] == "21:30:00"
    assert found["reasons"] == {"too_small": 1}
    assert found["images_received"] == 2
    assert dt.datetime.fromisoformat(found["received_at"]) == NOW


def test_csv_has_the_columns_of_json(sqlite_records: Records) -> None:
    file_study(sqlite_records, "1.2.3", Prediction(0.75), Exclusion(Reason.TOO_SMALL))
    (row,) = csv.DictReader(io.StringIO(spreadsheet(every(sqlite_records)), newline=""))
    assert list(row) == KEYS
    assert row["score"] == "0.75"
    assert row["reasons"] == "too_small:1"


def test_a_hostile_name_does_nothing_to_a_spreadsheet(sqlite_records: Records) -> None:
    file_study(sqlite_records, "1.2.3", Prediction(0.75), patient_name=HOSTILE, patient_id="@x")
    text = spreadsheet(every(sqlite_records))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["patient_name"].startswith("'=cmd")
    assert row["patient_id"] == "'@x"
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [80, 119, 120, 200])
def test_a_hostile_name_does_nothing_to_a_terminal(sqlite_records: Records, width: int) -> None:
    for number in range(3):
        file_study(
            sqlite_records,
            f"1.2.{number}",
            Exclusion(Reason.CANNOT_DECODE, HOSTILE),
            Prediction(0.5),
            patient_name=HOSTILE,
            patient_id=HOSTILE,
            accession_number=HOSTILE,
            body_part=HOSTILE,
            study_description=HOSTILE,
        )
    with sqlite_records.read() as session:
        dossier = open_dossier(session, "1.2.0")
    assert dossier is not None
    parts = [
        case_table(every(sqlite_records), width),
        study_sheet(dossier),
        file_table({f"{HOSTILE}{i}": image for i, image in enumerate(dossier.images)}, width),
    ]
    for part in parts:
        text = shown(part, width)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert all(len(line) <= width for line in text.splitlines())
    # rich's markup in it is text too, and no style.
    assert "[bold red]" in shown(study_sheet(dossier), 200)


@pytest.mark.parametrize("width", [80, 160])
def test_a_table_says_all_that_a_radiologist_asks(sqlite_records: Records, width: int) -> None:
    file_study(
        sqlite_records,
        "1.2.3",
        Prediction(0.75),
        Exclusion(Reason.NO_PIXEL_DATA),
        None,
        patient_name="DOE^JANE",
        patient_id="P1",
        patient_sex="F",
        age_years=34.0,
        body_part="HAND",
        accession_number="A1",
        study_date=dt.date(2026, 3, 1),
    )
    text = shown(case_table(every(sqlite_records), width), width)
    words = " ".join(text.split())
    for expected in ("suspected", "0.75", "DOE, JANE", "P1", "34 F", "HAND", "2026-03-01", "A1"):
        assert expected in words
    assert "1/3" in words
    assert "no pixel data" in words or width == 80
    assert "Scored by mobilenet_v2 0.1.0." in words
    assert "Not for diagnosis" in words


def test_a_verdict_is_a_word_and_not_only_a_colour(sqlite_records: Records) -> None:
    file_study(sqlite_records, "1.2.3", Prediction(0.75))
    coloured = shown(case_table(every(sqlite_records), 160), colour=True)
    assert "\x1b[1;31msuspected" in coloured
    assert "suspected" in shown(case_table(every(sqlite_records), 160))


def test_a_model_has_a_column_where_there_are_several(sqlite_records: Records) -> None:
    other = Scorer(ModelIdentity("densenet121", "2", "b" * 64), SCORER.points)
    file_study(sqlite_records, "1.2.3", Prediction(0.75))
    file_study(sqlite_records, "1.2.4", Prediction(0.75), scorer=other)
    text = shown(case_table(every(sqlite_records), 200), 200)
    assert "densenet121 2" in text
    assert "Scored by" not in text


def test_the_counts_add_up(sqlite_records: Records) -> None:
    file_study(sqlite_records, "1.2.3", Prediction(0.75), None, Exclusion(Reason.TOO_SMALL))
    with sqlite_records.read() as session:
        line = tally_line(tally(session)).plain
    assert line == "3 images received, 1 scored, 1 not scored, 1 waiting."


def test_a_sheet_tells_each_image_and_revision(sqlite_records: Records) -> None:
    file_study(
        sqlite_records,
        "1.2.3",
        Prediction(0.75, 0.25, 0.5),
        Exclusion(Reason.TOO_SMALL, "40 x 40"),
        None,
        patient_name="DOE^JANE",
    )
    with sqlite_records.read() as session:
        dossier = open_dossier(session, "1.2.3")
    assert dossier is not None
    text = shown(study_sheet(dossier))
    for expected in ("25%, 50%", "too small: 40 x 40", "waiting", "1 scored of 3", "DOE, JANE"):
        assert expected in text
    whole = json.loads(json.dumps(dossier_object(dossier)))
    assert list(whole) == [
        "case",
        "reidentified",
        "images",
        "conflicts",
        "revisions",
        "holds",
    ]
    assert list(whole["case"]) == KEYS
    assert whole["images"][0]["scores"][0]["probability"] == 0.75
    assert whole["images"][1]["exclusion"] == {"reason": "too_small", "detail": "40 x 40"}
    assert whole["revisions"][0]["images_scored"] == 1


def test_a_score_below_one_is_never_shown_as_certain(sqlite_records: Records) -> None:
    file_study(sqlite_records, "1.2.3", Prediction(0.9999))
    assert "0.99" in shown(case_table(every(sqlite_records), 160))
