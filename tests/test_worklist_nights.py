"""Nights at the desk: batches at work, what each night brought, and its report."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator

import pytest
from desk import TestDesk
from fastapi.testclient import TestClient
from PIL import Image
from result_studies import heat

from phantoms.load import small_study
from screening.domain.night import last_night, night_of
from screening.domain.night_batch import FetchState
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records import night_batches, night_studies
from screening.settings import Settings
from worklist.batch_pace import Pace

BEGUN = dt.datetime(2026, 6, 10, 20, tzinfo=dt.UTC)


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    made.now = BEGUN
    yield made
    made.close()


@pytest.fixture
def anna(desk: TestDesk) -> TestClient:
    return desk.signed_in("anna")


def begin(desk: TestDesk, studies: int) -> None:
    with desk.records.begin() as session:
        batch = night_batches.begin_batch(session, "pacs", {}, BEGUN)
        assert batch is not None
        found = [(f"1.2.{number}", f"<b>A{number}") for number in range(studies)]
        night_studies.plan_studies(session, batch, found, BEGUN)
        night_batches.begin_round(session, batch, BEGUN)


def settle(desk: TestDesk, state: FetchState) -> None:
    with desk.records.begin() as session:
        study = night_studies.take_study(session, 1, desk.now, dt.timedelta(0))
        assert study is not None
        night_studies.settle_study(
            session, study, state, desk.now, expected=2, here=2 if state is FetchState.HELD else 1
        )


def pace(desk: TestDesk) -> Pace:
    from screening.records.night_tally import tally_batch

    with desk.records.read() as session:
        batch = night_batches.find_batch(session, 1)
        assert batch is not None
        return Pace(batch, tally_batch(session, 1), desk.now)


def test_a_batch_at_work_shows_its_pace_and_what_is_left(desk: TestDesk, anna: TestClient) -> None:
    begin(desk, 40)
    assert (pace(desk).per_hour, pace(desk).minutes_left) == (None, None)
    for _ in range(10):
        settle(desk, FetchState.HELD)
    desk.now = BEGUN + dt.timedelta(minutes=5)
    assert (pace(desk).done, pace(desk).minutes_left) == (10, 15)
    assert pace(desk).per_hour == pytest.approx(120)
    for path in ("/nights", "/nights/batches"):
        page = anna.get(path).text
        assert "about 15 min" in page
        assert '<progress max="40" value="10"' in page
    (told,) = anna.get("/api/v1/batches").json()
    assert (told["counts"]["planned"], told["counts"]["settled"]) == (40, 10)
    with desk.records.begin() as session:
        night_batches.end_batch(session, 1, desk.now)
    assert pace(desk).minutes_left is None
    assert "not complete" in anna.get("/nights").text, "studies are still planned"


def test_the_report_of_a_night_is_a_page_and_an_object(desk: TestDesk, anna: TestClient) -> None:
    (ds,) = small_study(1, 1)
    ds.PatientName = "<script>alert(1)</script>"
    uid = desk.file(ds, Prediction(0.9), heat())
    (dull,) = small_study(2, 1)
    desk.file(dull, Exclusion(Reason.TOO_SMALL, ""))
    begin(desk, 1)
    settle(desk, FetchState.FAILED)
    desk.now += dt.timedelta(minutes=1)
    night = night_of(BEGUN)
    page = anna.get(f"/nights/{night}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    for said in ("Not complete", "batch 1 is running", "1 of 2 images missing", "too small"):
        assert said in page
    assert f'href="/cases/{uid}"' in page
    thumbnail = anna.get(f"/api/v1/studies/{uid}/thumbnail")
    with Image.open(io.BytesIO(thumbnail.content)) as picture:
        assert (picture.format, max(picture.size)) == ("JPEG", 224)
    assert f'src="/api/v1/studies/{uid}/thumbnail"' in page
    told = anna.get(f"/api/v1/nights/{night}").json()
    assert (told["complete"], told["images"]["received"], len(told["cases"])) == (False, 2, 1)
    (batch,) = told["batches"]
    assert batch["exceptions"][0]["study_instance_uid"] == "1.2.0"
    assert anna.get("/api/v1/batches/1").json()["exceptions"] == batch["exceptions"]


def test_the_nights_lead_to_their_reports(desk: TestDesk, anna: TestClient) -> None:
    desk.file(next(small_study(1, 1)), Prediction(0.9))
    page = anna.get("/nights").text
    nights = [night_of(BEGUN) - dt.timedelta(days=number) for number in range(14)]
    assert all(f'href="/nights/{night}"' in page for night in nights)
    assert last_night(BEGUN) in nights
    assert anna.get(f"/nights/{nights[3]}").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nights/2999-01-01", 404),
        ("nights/0001-01-01", 404),
        ("nights/yesterday", 422),
        ("batches/1", 404),
        ("batches/0", 422),
        ("batches/99999999999", 422),
        ("studies/1.2.3/thumbnail", 404),
    ],
)
def test_a_night_that_was_none_is_not_found(anna: TestClient, path: str, status: int) -> None:
    answer = anna.get(f"/api/v1/{path}")
    assert answer.status_code == status
    assert answer.json()["detail"]
    if path.startswith("nights"):
        assert anna.get(f"/{path}").status_code == status


def test_a_thumbnail_of_a_file_that_is_gone_says_so(desk: TestDesk, anna: TestClient) -> None:
    (ds,) = small_study(1, 1)
    uid = desk.file(ds, Prediction(0.9))
    desk.path_of(ds.SOPInstanceUID).unlink()
    assert anna.get(f"/api/v1/studies/{uid}/thumbnail").status_code == 415


def test_who_looks_at_a_night_is_noted_and_strangers_see_none(
    desk: TestDesk, anna: TestClient
) -> None:
    from screening.records.audit import read_audit

    anna.get(f"/nights/{night_of(BEGUN)}")
    with desk.records.read() as session:
        assert read_audit(session)[0].detail == f"the night of {night_of(BEGUN)}"
    stranger = desk.client()
    for path in ("/nights", "/nights/batches", f"/nights/{night_of(BEGUN)}"):
        assert stranger.get(path).status_code == 303
    for path in ("nights/2026-06-10", "batches", "batches/1", "studies/1.2/thumbnail"):
        assert stranger.get(f"/api/v1/{path}").status_code == 401
