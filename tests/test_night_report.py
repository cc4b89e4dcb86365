"""The morning report: complete or not, with every reason, and what is unlike the nights before."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from console import nightread
from desk import TestDesk
from filed_cases import file_study
from result_studies import heat

from phantoms.load import small_study
from screening.domain.control_chart import control_mean, control_share
from screening.domain.night import last_night, night_of, night_window
from screening.domain.night_batch import FOLDER, BatchState, FetchState
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records import night_batches, night_studies
from screening.records.association import (
    Caller,
    Outcome,
    close_association,
    count_refusals,
    open_association,
)
from screening.records.batch_files import BatchFile, note_files
from screening.settings import Settings
from worklist.night_plan import NightPlan
from worklist.night_report import NightReport, read_night
from worklist.report_page import report_csv, report_object, report_page, report_text

NIGHT = dt.date(2026, 6, 10)


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    made.now = moment(23)
    yield made
    made.close()


def moment(hour: int, days: int = 0) -> dt.datetime:
    """Return a moment of the night, by this machine's clock."""
    day = NIGHT + dt.timedelta(days=days + (hour < 12))
    return dt.datetime.combine(day, dt.time(hour, 30)).astimezone(dt.UTC)


def read(desk: TestDesk) -> NightReport:
    return read_night(desk.records, NIGHT, moment(6))


def file(desk: TestDesk, number: int, score: float | None, station: str = "ROOM 1") -> str:
    (ds,) = small_study(number, 1, side=96)
    ds.StationName = station
    result = Prediction(score) if score is not None else Exclusion(Reason.TOO_SMALL, "40 x 40")
    return desk.file(ds, result, heat())


def test_a_night_in_which_all_was_scored_is_complete(desk: TestDesk) -> None:
    uids = [file(desk, 1, 0.9), file(desk, 2, 0.4), file(desk, 3, 0.01), file(desk, 4, None)]
    found = read(desk)
    assert found.is_complete
    images = found.images
    assert (images.studies, images.received, images.scored, images.not_scored) == (4, 4, 3, 1)
    assert images.reasons == {"too_small": 1}
    assert [case.study_instance_uid for case in found.cases] == uids[:2]
    assert found.by_hour == ((desk.now.replace(minute=0), 4),)
    assert read_night(desk.records, NIGHT - dt.timedelta(days=1), moment(6)).images.studies == 0


def test_every_reason_for_which_it_is_not_complete_is_said(desk: TestDesk) -> None:
    (waits,) = small_study(5, 1)
    desk.file(waits, None)
    with desk.records.begin() as session:
        batch = night_batches.begin_batch(session, "pacs", {}, desk.now)
        assert batch is not None
        night_studies.plan_studies(session, batch, [("1.2.3", "A1"), ("1.2.4", None)], desk.now)
        night_batches.begin_round(session, batch, desk.now)
        for expected, missing in ((3, ("1.2.3.9",)), (None, ())):
            study = night_studies.take_study(session, batch.row, desk.now, dt.timedelta(0))
            assert study is not None
            night_studies.settle_study(
                session,
                study,
                FetchState.FAILED,
                desk.now,
                expected=expected,
                here=2,
                missing=missing,
                error="the PACS answered 0xA701",
            )
    found = read(desk)
    assert found.open_ends == (
        "images that wait for a score: 1",
        "batch 1 is running",
        "batch 1: images at the PACS that are not here: 1",
        "batch 1: studies that could not be fetched as a whole: 2",
    )
    page = report_page(found, {}, "")
    for said in ("Not complete", "1.2.3.9", "0xA701", "A1", "1 of 3 images missing"):
        assert said in page
    lines = list(csv.DictReader(io.StringIO(report_csv(found))))
    assert [line["missing"] for line in lines] == ["1", "0"]
    assert lines[0]["missing_uids"] == "1.2.3.9"
    assert report_object(found)["batches"][0]["exceptions"][0]["missing"] == ["1.2.3.9"]
    with desk.records.begin() as session:
        night_batches.change_state(session, 1, BatchState.CANCELLED, desk.now)
    assert "batch 1 was cancelled" in read(desk).alarms, "a person's own end to their own batch"


def test_what_is_unlike_the_nights_before_stands_out(desk: TestDesk) -> None:
    for days in range(1, 8):
        desk.now = moment(23, -days)
        for number in range(10):
            file(desk, 100 * days + number, 0.9 if number == 0 else 0.01)
    desk.now = moment(23)
    for number in range(10):
        file(desk, number, 0.9, station="ROOM 1" if number < 5 else "ROOM 2")
    unusual = {(each.group, each.figure) for each in read(desk).unusual}
    assert ("all", "flagged") in unusual
    assert ("scanner ROOM 1", "flagged") in unusual
    assert ("scanner ROOM 2", "flagged") not in unusual, "there is nothing to compare with"
    assert ("all", "mean score") in unusual
    assert ("all", "not scored") not in unusual
    assert "unusual  all, flagged: 100.0 % of 10 studies" in report_text(read(desk))


def test_limits_are_those_of_shewhart() -> None:
    inside = control_share(12, 100, [(10, 100)] * 10)
    assert (inside.centre, inside.is_unusual) == (0.1, False)
    assert inside.high == pytest.approx(0.1 + 3 * (0.1 * 0.9 / 100) ** 0.5, abs=0.02)
    assert inside.low == pytest.approx(0.1 - 3 * (0.1 * 0.9 / 100) ** 0.5, abs=0.02)
    assert control_share(30, 100, [(10, 100)] * 10).is_unusual
    assert not control_share(1, 100, [(0, 100)] * 10).is_unusual, "what never was may be"
    assert control_share(4, 100, [(0, 100)] * 10).is_unusual
    assert control_share(30, 100, [(1, 10)]).high is None
    assert control_share(0, 0, [(10, 100)] * 10).value is None
    before = [0.1, 0.2, 0.3] * 30
    assert not control_mean([0.2] * 10, before).is_unusual
    assert control_mean([0.4] * 10, before).is_unusual


def test_reviews_of_the_day_that_disagree_are_told(desk: TestDesk) -> None:
    uid = file(desk, 1, 0.9)
    desk.now = moment(14)
    answer = desk.signed_in("anna").post(
        f"/api/v1/studies/{uid}/reviews", json={"opinion": "disagree"}
    )
    assert answer.status_code == 201
    (found,) = read(desk).discordant
    assert found.study_instance_uid == uid


def test_no_name_acts_on_the_page_or_in_a_spreadsheet(desk: TestDesk) -> None:
    (ds,) = small_study(6, 1)
    ds.PatientName, ds.AccessionNumber = "<script>alert(1)</script>", "=cmd()"
    ds.PatientID, ds.BodyPartExamined = "\x1b[31m+1", "HAND"
    desk.file(ds, Prediction(0.9))
    page = report_page(read(desk), {}, "https://here")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    (line,) = csv.DictReader(io.StringIO(report_csv(read(desk))))
    assert line["accession_number"] == "'=cmd()"
    assert "\x1b" not in line["patient_id"]


def _in_the_last_night() -> dt.datetime:
    """Return a moment of the night that the report is of by itself: it ended at the last noon."""
    now = dt.datetime.now().astimezone()
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    return (noon if noon <= now else noon - dt.timedelta(days=1)) - dt.timedelta(hours=1)


def test_the_command_writes_a_page_with_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "nightread-data"
    assert nightread("migrate", cwd=tmp_path).returncode == 0
    desk = TestDesk(Settings(data_dir=folder, minimum_free_gigabytes=0), _in_the_last_night())
    uid = file(desk, 1, 0.9)
    other = file(desk, 2, 0.8)
    with desk.records.read() as session:
        dossier_path = desk.path_of(next(small_study(2, 1)).SOPInstanceUID)
        assert session is not None
    dossier_path.unlink()
    desk.close()
    ran = nightread("report", "--out", "reports", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "complete" in ran.stdout
    assert "PHANTOM" not in ran.stdout
    (page,) = (tmp_path / "reports").glob("night-*.html")
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 1
    assert f"/cases/{uid}" in text
    assert f"/cases/{other}" in text
    (told,) = (tmp_path / "reports").glob("night-*.json")
    assert json.loads(told.read_text())["complete"] is True
    none = nightread("report", "--night", "2020-01-01", "--json", cwd=tmp_path)
    assert (none.returncode, json.loads(none.stdout)["images"]["studies"]) == (0, 0)


def test_a_night_lasts_from_noon_to_noon() -> None:
    assert night_of(moment(6)) == NIGHT
    assert night_of(moment(13)) == NIGHT
    since, until = night_window(NIGHT)
    assert since < moment(13) < moment(11) < until
    assert last_night(moment(6)) == last_night(moment(11, 0)) == NIGHT
    afternoon = moment(13) + dt.timedelta(days=1)
    assert last_night(afternoon) == NIGHT, "the next has hardly begun"
    west = ZoneInfo("America/Los_Angeles")
    assert night_window(NIGHT, west)[0] == dt.datetime(2026, 6, 10, 19, tzinfo=dt.UTC)


def test_a_batch_belongs_to_each_night_in_which_somebody_was_at_work_on_it(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        batch = night_batches.begin_batch(session, "pacs", {}, moment(11, -1))
        assert batch is not None
    for days in (-1, 0):
        found = read_night(desk.records, NIGHT + dt.timedelta(days=days), moment(6))
        assert [each.batch.row for each in found.batches] == [1]
        assert "batch 1 is running" in found.open_ends
    with desk.records.begin() as session:
        night_batches.end_batch(session, 1, moment(1, -1))
    assert read(desk).batches == ()
    assert read_night(desk.records, NIGHT - dt.timedelta(days=1), moment(6)).is_complete


def test_a_study_that_grew_and_could_not_be_fetched_is_an_open_end(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        batch = night_batches.begin_batch(session, "pacs", {}, desk.now)
        assert batch is not None
        night_studies.plan_studies(session, batch, [("1.2.3", None)], desk.now)
        night_batches.begin_round(session, batch, desk.now)
        for state, counts in (
            (FetchState.PLANNED, {"expected": 2, "here": 2}),
            (FetchState.FAILED, {}),
        ):
            study = night_studies.take_study(session, 1, desk.now, dt.timedelta(0))
            assert study is not None
            night_studies.settle_study(session, study, state, desk.now, error="x", **counts)  # type: ignore[arg-type]
        night_batches.end_batch(session, 1, desk.now)
    assert read(desk).open_ends == ("batch 1: studies that could not be fetched as a whole: 1",)


def test_a_night_that_did_not_begin_is_not_complete(desk: TestDesk) -> None:
    at = moment(22)
    planned = [("extremities", NIGHT, at), ("later", NIGHT, moment(9))]
    plan = NightPlan(between=lambda *_: planned, is_known=True)
    found = read_night(desk.records, NIGHT, moment(6), plan)
    assert [each.partition(" at ")[0] for each in found.open_ends] == [
        "extremities did not begin",
        "later is to begin",
    ]
    with desk.records.begin() as session:
        for name in ("extremities", "later"):
            night_batches.begin_batch(session, "pacs", {}, at, schedule=name, night=NIGHT)
    assert read_night(desk.records, NIGHT, moment(6), plan).scheduled == ()


def test_what_waits_since_before_noon_is_an_open_end(desk: TestDesk) -> None:
    desk.now = moment(9, -1)
    desk.file(next(small_study(5, 1)), None)
    assert read(desk).open_ends == ("images that wait for a score: 1",)


def test_files_that_may_hold_images_are_an_open_end(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        batch = night_batches.begin_batch(session, FOLDER, {"folder": "/films"}, desk.now)
        assert batch is not None
        note_files(session, batch.row, [BatchFile("/films/a", None, "damaged", lost=True)])
        night_batches.end_batch(session, batch.row, desk.now)
    assert read(desk).open_ends == ("batch 1: files that may hold images and brought none in: 1",)


def test_a_batch_of_which_nothing_fits_is_asked_about(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        batch = night_batches.begin_batch(session, "pacs", {"body_parts": ["HND"]}, desk.now)
        assert batch is not None
        night_studies.plan_studies(session, batch, [("1.2", None)], desk.now)
        study = night_studies.take_study(session, 1, desk.now, dt.timedelta(0))
        assert study is not None
        night_studies.settle_study(session, study, FetchState.NONE, desk.now, expected=0, here=0)
        night_batches.end_batch(session, batch.row, desk.now)
    found = read(desk)
    assert found.is_complete
    assert found.alarms == ("batch 1: none of 1 studies has what was asked for: is that so?",)


def test_what_the_door_refused_is_an_alarm_beside_a_night_that_is_complete(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        caller = Caller("PACS", "NIGHTREAD", "10.1.4.23", "here:11112")
        row = open_association(session, caller, moment(22))
        count_refusals(session, row, "0xA700 the disk is full")
        close_association(session, row, outcome=Outcome.RELEASED, now=moment(22))
    found = read(desk)
    assert found.is_complete
    (alarm,) = found.alarms
    assert alarm.startswith("images that the door refused since then: 1;")


def test_a_report_that_cannot_know_the_schedules_says_so(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        night_batches.begin_batch(session, "pacs", {}, moment(22, -5), schedule="n", night=NIGHT)
        night_batches.end_batch(session, 1, moment(23, -5))
    assert [each for each in read(desk).open_ends if "NIGHTREAD_SOURCES_FILE" in each]


def test_a_schedule_that_is_new_was_not_there_in_older_nights(desk: TestDesk) -> None:
    planned = [("new", NIGHT, moment(22))]
    plan = NightPlan(between=lambda *_: planned, is_known=True)
    assert read_night(desk.records, NIGHT, moment(6), plan).scheduled
    assert not read_night(desk.records, NIGHT, moment(6, 5), plan).scheduled


def test_more_flagged_studies_than_a_page_shows_are_all_in_the_csv(desk: TestDesk) -> None:
    for number in range(3):
        file(desk, number, 0.9)
    desk.now = moment(23, 1)
    for number in range(3, 510):
        file_study(desk.records, f"1.{number}", Prediction(0.9), now=desk.now)
    later = read_night(desk.records, NIGHT + dt.timedelta(days=1), moment(6, 1))
    assert len(later.cases) == 507
    assert "And 7 more" in report_page(later, {}, "")
    assert len(list(csv.DictReader(io.StringIO(report_csv(later))))) == 507
    assert len(read(desk).cases) == 3, "those of another night are in another report"
