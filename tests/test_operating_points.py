"""Operating points that are set here: who may, what is kept, and what is judged by them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import nightread
from desk import SCORER, TestDesk
from fastapi.testclient import TestClient
from reading_room import Room

from models.classifier import load_classifier
from phantoms.load import small_study
from screening.domain.account import Role
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.verdict import FLAGGED, OperatingPoints, Verdict
from screening.errors import PointsChangedError, PointsError
from screening.records import audit
from screening.records.engine import Records
from screening.records.operating_points import find_points, read_points, set_points
from screening.records.results import Scorer
from screening.settings import Settings

GIVEN = {"high_sensitivity": 0.3, "high_specificity": 0.7, "note": "at most 12 in 100"}
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    (ds,) = small_study(1, 1)
    made.file(ds, Prediction(0.65))
    yield made
    made.close()


def put(records: Records, points: OperatingPoints, seen: str | None = None) -> int:
    with records.begin() as session:
        made = set_points(session, points, note="tried", set_by="ada", now=NOW, seen=seen)
    return made.number


def test_a_model_starts_with_its_own_points_and_keeps_every_revision(desk: TestDesk) -> None:
    with desk.records.read() as session:
        before = read_points(session)
        assert find_points(session, SCORER.identity) is None
    assert before is not None
    assert (before.in_force.number, before.in_force.points) == (0, SCORER.points)
    assert put(desk.records, OperatingPoints(0.1, 0.9)) == 1
    assert put(desk.records, OperatingPoints(0.15, 0.9), seen=seen(desk)) == 2
    with desk.records.read() as session:
        after = read_points(session)
        assert find_points(session, SCORER.identity) == OperatingPoints(0.15, 0.9)
        assert find_points(session, ModelIdentity("another", "1", "c" * 64)) is None
    assert after is not None
    assert [each.number for each in after.revisions] == [2, 1, 0]
    assert after.revisions[-1].points == SCORER.points


def test_points_that_somebody_else_set_are_not_overwritten_unseen(desk: TestDesk) -> None:
    before = seen(desk)
    put(desk.records, OperatingPoints(0.1, 0.9), seen=before)
    with pytest.raises(PointsChangedError, match="revision 1"):
        put(desk.records, OperatingPoints(0.2, 0.9), seen=before)


def test_points_of_another_model_are_not_set_unseen(desk: TestDesk) -> None:
    before = seen(desk)
    (ds,) = small_study(2, 1)
    other = Scorer(ModelIdentity("another", "1", "c" * 64), SCORER.points)
    desk.file(ds, Prediction(0.5), scorer=other)
    with pytest.raises(PointsChangedError, match="revision 0 of another 1"):
        put(desk.records, OperatingPoints(0.2, 0.9), seen=before)


def test_points_need_a_reason_and_a_model(desk: TestDesk, tmp_path: Path) -> None:
    for note in ("", "  ", "x" * 501, "a\0b"):
        with desk.records.begin() as session, pytest.raises(PointsError, match="say why"):
            set_points(session, OperatingPoints(0.1, 0.9), note=note, set_by="ada", now=NOW)
    empty = TestDesk(Settings(data_dir=tmp_path / "empty", minimum_free_gigabytes=0))
    with pytest.raises(PointsError, match="nothing is scored yet"):
        put(empty.records, OperatingPoints(0.1, 0.9))
    admin = empty.signed_in("ada", Role.ADMIN)
    assert admin.get("/api/v1/operating-points").status_code == 404
    assert "Nothing is scored yet" in admin.get("/statistics").text
    empty.close()


def test_an_administrator_sets_them_and_the_audit_has_it(desk: TestDesk) -> None:
    admin = desk.signed_in("ada", Role.ADMIN)
    given = GIVEN | {"seen": seen(desk)}
    answer = admin.post("/api/v1/operating-points", json=given)
    assert answer.status_code == 201, answer.text
    assert answer.json()["revisions"][0]["note"] == GIVEN["note"]
    assert answer.json()["revisions"][0]["set_by"] == "ada"
    assert admin.post("/api/v1/operating-points", json=given).status_code == 409
    with desk.records.read() as session:
        entries = [e for e in audit.read_audit(session) if e.event == "points_set"]
    assert [entry.detail for entry in entries] == [
        "revision 1: doubtful from 0.3, suspected from 0.7"
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RADIOLOGIST])
def test_nobody_else_sets_them(desk: TestDesk, role: Role) -> None:
    client = desk.signed_in("anna", role)
    assert client.post("/api/v1/operating-points", json=GIVEN).status_code == 403
    assert "What would it cost" not in client.get("/statistics").text
    assert client.get("/api/v1/operating-points").json()["revisions"][0]["number"] == 0
    assert desk.client().post("/api/v1/operating-points", json=GIVEN).status_code == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"high_sensitivity": 0.8}, 400),
        ({"high_specificity": 1.2}, 422),
        ({"high_sensitivity": "nan"}, 422),
        ({"note": ""}, 422),
        ({"note": " "}, 400),
        ({"seen": 1}, 422),
        ({"model": "mine"}, 422),
    ],
)
def test_points_that_cannot_be_are_refused(
    desk: TestDesk, change: dict[str, object], status: int
) -> None:
    admin = desk.signed_in("ada", Role.ADMIN)
    assert admin.post("/api/v1/operating-points", json=GIVEN | change).status_code == status
    assert len(admin.get("/api/v1/operating-points").json()["revisions"]) == 1


def seen(desk: TestDesk) -> str:
    with desk.records.read() as session:
        found = read_points(session)
    assert found is not None
    return found.seen


def form(client: TestClient, **fields: object) -> int:
    return client.post("/operating-points", data=fields).status_code


def test_the_page_shows_what_points_cost_and_sets_them(desk: TestDesk) -> None:
    admin = desk.signed_in("ada", Role.ADMIN)
    tried = admin.get("/statistics?doubtful_from=0.7&suspected_from=0.8").text
    assert "doubtful or suspected, as tried" in tried
    assert "Put 0.700 and 0.800 into force" in tried
    assert "into force</button>" not in admin.get("/statistics").text, "nothing is tried"
    wrong = admin.get("/statistics?doubtful_from=0.8&suspected_from=0.7").text
    assert "into force</button>" not in wrong
    fields = {"doubtful_from": 0.7, "suspected_from": 0.8, "seen": seen(desk)}
    secret = admin.headers.pop("X-Form-Secret")
    assert form(admin, **fields, note="<b>why</b>") == 403, "without the form's secret"
    assert form(admin, **fields, note="<b>why</b>", form_secret=secret) == 303
    page = admin.get("/statistics").text
    assert "revision 1" in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert form(admin, **fields, note="again", form_secret=secret) == 409
    assert admin.get("/statistics?doubtful_from=2").status_code == 422


def test_the_worker_judges_by_them_from_its_next_batch_on(settings: Settings) -> None:
    room = Room(settings, load_classifier("mobilenet_v2"))
    pipeline = room.pipeline()
    (before,) = small_study(1, 1)
    pipeline.screen(room.receive(before))
    first = room.dossier(before)
    score = first.images[0].scores[0].probability
    # Whatever this phantom scores, the next one like it is suspected.
    put(room.records, OperatingPoints(0.0, score / 2))
    (after,) = small_study(1, 1)
    after.SOPInstanceUID, after.StudyInstanceUID = "1.2.3.4", "1.2.3"
    pipeline.screen(room.receive(after))
    second = room.dossier(after)
    assert second.images[0].scores[0].probability == pytest.approx(score, abs=1e-4)
    assert second.case.verdict is Verdict.SUSPECTED
    assert second.images[0].scores[0].heatmap is not None
    assert room.dossier(before) == first, "what was judged before stays"
    put(room.records, OperatingPoints(1.0, 1.0))
    after.SOPInstanceUID, after.StudyInstanceUID = "1.2.3.6", "1.2.5"
    pipeline.screen(room.receive(after))
    third = room.dossier(after)
    assert third.case.verdict is Verdict.CLEAR
    assert third.case.verdict not in FLAGGED
    assert third.images[0].scores[0].heatmap is None
    room.records.close()


def test_the_console_shows_and_sets_them(tmp_path: Path) -> None:
    assert nightread("migrate", cwd=tmp_path).returncode == 0
    assert "Nothing is scored yet" in nightread("points", "show", cwd=tmp_path).stdout
    chosen = ("points", "set", "--doubtful", "0.3", "--suspected", "0.7", "--note", "a trial")
    refused = nightread(*chosen, cwd=tmp_path)
    assert refused.returncode == 1
    assert "nothing is scored yet" in refused.stderr
    desk = TestDesk(Settings(data_dir=tmp_path / "nightread-data", minimum_free_gigabytes=0))
    (ds,) = small_study(1, 1)
    desk.file(ds, Prediction(0.65))
    desk.close()
    done = nightread(*chosen, cwd=tmp_path)
    assert "revision 1: doubtful from 0.3, suspected from 0.7" in done.stderr, done.stderr
    shown = json.loads(nightread("points", "show", "--json", cwd=tmp_path).stdout)
    assert [each["number"] for each in shown["revisions"]] == [1, 0]
    assert "a trial" in nightread("points", "show", cwd=tmp_path).stdout
    wrong = nightread(*chosen[:3], "0.9", *chosen[4:], cwd=tmp_path)
    assert wrong.returncode == 2
    assert "points_set" in nightread("audit", "show", cwd=tmp_path).stdout
