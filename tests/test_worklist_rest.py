"""REST: what it answers, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import numpy as np
import pytest
import schemathesis
from desk import TestDesk
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi_checks
from sqlalchemy import text

from phantoms.load import small_study
from screening.dicom.pixels import read_pixels
from screening.domain.account import Role
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.settings import Settings

CHECKS = [
    not_a_server_error,
    *(
        getattr(openapi_checks, f"{name}_conformance")
        for name in ("status_code", "content_type", "response_schema")
    ),
]
HOSTILE = "<script>alert(1)</script>^'\"&<b>"


def png(value: int = 128) -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    folder = tmp_path_factory.mktemp("desk")
    made = TestDesk(Settings(data_dir=folder, minimum_free_gigabytes=0))
    yield made
    made.close()


@pytest.fixture(scope="module")
def studies(desk: TestDesk) -> list[str]:
    """Return four studies, most urgent first; the last is waiting."""
    found = []
    results = [Prediction(0.97), Prediction(0.4), Exclusion(Reason.TOO_SMALL, "40 x 40"), None]
    for number, result in enumerate(results):
        (ds,) = small_study(number, 1)
        ds.PatientName = HOSTILE if number == 0 else f"DOE^JANE{number}"
        ds.BodyPartExamined = "HAND" if number < 2 else "FOOT"
        found.append(desk.file(ds, result, png() if number == 0 else None))
    return found


@pytest.fixture(scope="module")
def anna(desk: TestDesk, studies: list[str]) -> TestClient:
    return desk.signed_in("anna")


def image_of(anna: TestClient, study: str) -> str:
    return str(anna.get(f"/api/v1/studies/{study}").json()["images"][0]["sop_instance_uid"])


def test_the_list_is_that_of_the_console(anna: TestClient, studies: list[str]) -> None:
    found = anna.get("/api/v1/cases").json()
    assert [case["study_instance_uid"] for case in found["cases"]] == studies[:2]
    assert found["next"] is None
    wanted = "verdict=suspected&verdict=doubtful&verdict=waiting&verdict=not_scored&verdict=clear"
    first = anna.get(f"/api/v1/cases?{wanted}&limit=3").json()
    rest = anna.get(f"/api/v1/cases?{wanted}&limit=3&after={first['next']}").json()
    uids = [case["study_instance_uid"] for case in first["cases"] + rest["cases"]]
    assert uids == [studies[0], studies[1], studies[3], studies[2]]
    assert anna.get("/api/v1/counts").json() == {
        "suspected": 1,
        "doubtful": 1,
        "clear": 0,
        "not_scored": 1,
        "waiting": 1,
    }


def test_filters_narrow_the_list(anna: TestClient, studies: list[str]) -> None:
    for query, expected in {
        "text=doe&verdict=doubtful": [studies[1]],
        "body_part=HAND": studies[:2],
        "body_part=HAND&text=jane1": [studies[1]],
        "sender=NOBODY": [],
        "verdict=not_scored&reason=too_small": [studies[2]],
        "reviewed=yes": [],
        "first_date=1999-01-01&last_date=1999-12-31": [],
    }.items():
        found = anna.get(f"/api/v1/cases?{query}").json()["cases"]
        assert [case["study_instance_uid"] for case in found] == expected, query


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=x", "after=x", "after=1.2.3", "verdict=sick"),
        *("first_date=yesterday", "reason=nobody", "reviewed=perhaps"),
        *("sender=" + "x" * 17, "text=" + "x" * 300, "text=%00", "body_part=%00"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_named(anna: TestClient, query: str) -> None:
    answer = anna.get(f"/api/v1/cases?{query}")
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


def test_csv_is_what_is_filtered_and_no_formula(anna: TestClient, studies: list[str]) -> None:
    answer = anna.get("/api/v1/cases.csv?text=doe&verdict=doubtful")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["study_instance_uid"] == studies[1]


def test_a_study_has_all_that_is_known(anna: TestClient, studies: list[str]) -> None:
    found = anna.get(f"/api/v1/studies/{studies[0]}").json()
    assert list(found) == [
        "case",
        "reidentified",
        "images",
        "conflicts",
        "revisions",
        "holds",
        "reviews",
        "priors",
    ]
    assert found["images"][0]["scores"][0]["probability"] == 0.97


def test_a_frame_has_every_bit_and_says_how_to_show_it(
    desk: TestDesk, anna: TestClient, studies: list[str]
) -> None:
    uid = image_of(anna, studies[0])
    frame = anna.get(f"/api/v1/images/{uid}/frame").content
    length = int.from_bytes(frame[:4], "little")
    said = json.loads(frame[4 : 4 + length])
    words = np.frombuffer(frame, "<u2", offset=4 + length).reshape(said["rows"], said["columns"])
    values = words * said["slope"] + said["intercept"]
    window = said["windows"][0]
    assert window["function"] == "LINEAR"
    shown = np.clip((values - window["center"] + 0.5) / (window["width"] - 1) + 0.5, 0, 1)
    shown = 1 - shown if said["inverted"] else shown
    np.testing.assert_allclose(shown, read_pixels(desk.path_of(uid)), atol=1e-5)
    assert len(np.unique(words)) > 256, "no crush to 8 bits"


def test_pictures_and_heatmaps_are_png(anna: TestClient, studies: list[str]) -> None:
    uid = image_of(anna, studies[0])
    picture = Image.open(io.BytesIO(anna.get(f"/api/v1/images/{uid}/picture?side=64").content))
    assert (picture.format, max(picture.size)) == ("PNG", 64)
    heat = Image.open(io.BytesIO(anna.get(f"/api/v1/images/{uid}/heatmap").content))
    assert heat.size == (8, 8)
    assert anna.get(f"/api/v1/images/{image_of(anna, studies[1])}/heatmap").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("studies/1.2.3", "studies/1.2.3/reviews", "images/1.2.3/frame", "images/1.2.3/heatmap"),
        *("nowhere", "images/..%2F..%2Fetc%2Fpasswd/frame", "images/%00/frame", "studies/%F0%9F"),
        "studies/" + "1" * 65,
    ],
)
def test_what_we_never_received_is_not_found(anna: TestClient, path: str) -> None:
    answer = anna.get(f"/api/v1/{path}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/json"


def test_an_image_that_cannot_be_shown_says_why(desk: TestDesk, anna: TestClient) -> None:
    (ds,) = small_study(50, 1)
    study = desk.file(ds, Prediction(0.9))
    path = desk.path_of(str(ds.SOPInstanceUID))
    whole = path.read_bytes()
    address = f"/api/v1/images/{ds.SOPInstanceUID}/frame"
    path.chmod(0o600)
    path.write_bytes(whole[: len(whole) // 2])
    cut = anna.get(address)
    assert (cut.status_code, "not what came" in cut.json()["detail"]) == (415, True)
    path.unlink()
    gone = anna.get(address)
    assert (gone.status_code, "send the image again" in gone.json()["detail"]) == (415, True)
    assert anna.get(f"/cases/{study}").status_code == 200, "its case opens all the same"


def test_an_archive_that_is_away_is_said_to_be_away(desk: TestDesk, anna: TestClient) -> None:
    (ds,) = small_study(52, 1)
    study = desk.file(ds, Prediction(0.9))
    elsewhere = desk.settings.archive_dir.rename(desk.settings.data_dir / "unmounted")
    away = anna.get(f"/api/v1/images/{ds.SOPInstanceUID}/frame")
    elsewhere.rename(desk.settings.archive_dir)
    assert (away.status_code, "mounted" in away.json()["detail"]) == (503, True)
    assert anna.get(f"/cases/{study}").status_code == 200, "its case opens all the same"


def test_an_image_that_came_damaged_says_what_is_missing(desk: TestDesk, anna: TestClient) -> None:
    (ds,) = small_study(51, 1)
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    desk.file(ds, Prediction(0.9))
    answer = anna.get(f"/api/v1/images/{ds.SOPInstanceUID}/frame")
    assert (answer.status_code, "missing" in answer.json()["detail"]) == (415, True)


def test_a_review_is_kept_and_taken_back_and_both_stay(
    desk: TestDesk, anna: TestClient, studies: list[str]
) -> None:
    address = f"/api/v1/studies/{studies[1]}/reviews"
    given = {"opinion": "disagree", "finding": "no_fracture", "note": "growth plate"}
    answer = anna.post(address, json=given)
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in given} == given
    assert answer.json()["verdict"] == "doubtful"
    assert review_of(anna, studies[1]) == "disagree"
    bert = desk.signed_in("bert")
    bert.post(address, json={"opinion": "agree"})
    assert review_of(anna, studies[1]) == "agree"
    assert bert.delete(f"{address}/newest").status_code == 200
    assert review_of(anna, studies[1]) == "disagree"
    assert bert.delete(f"{address}/newest").status_code == 404, "nothing of his is left"
    assert anna.delete(f"{address}/newest").status_code == 200
    assert review_of(anna, studies[1]) is None
    history = [(each["reviewer"], each["opinion"]) for each in anna.get(address).json()]
    assert history == [("anna", "disagree"), ("bert", "agree"), ("bert", None), ("anna", None)]


def review_of(client: TestClient, study: str) -> str | None:
    found = client.get(f"/api/v1/studies/{study}").json()["case"]["review"]
    return None if found is None else str(found)


def test_a_review_of_one_image_leaves_the_study_to_be_reviewed(
    anna: TestClient, studies: list[str]
) -> None:
    uid = image_of(anna, studies[0])
    address = f"/api/v1/studies/{studies[0]}/reviews"
    answer = anna.post(address, json={"opinion": "agree", "sop_instance_uid": uid})
    assert answer.json()["sop_instance_uid"] == uid
    assert review_of(anna, studies[0]) is None
    anna.delete(f"{address}/newest")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 422),
        ({"opinion": "perhaps"}, 422),
        ({"opinion": "agree", "finding": "cancer"}, 422),
        ({"opinion": "agree", "note": "x" * 2001}, 422),
        ({"opinion": "agree", "note": "a\0b"}, 400),
        ({"opinion": "agree", "reviewer": "bert"}, 422),
        ({"opinion": "agree", "sop_instance_uid": "1.2.3"}, 404),
        ([], 422),
    ],
)
def test_a_review_that_says_nothing_is_refused(
    anna: TestClient, studies: list[str], given: object, status: int
) -> None:
    answer = anna.post(f"/api/v1/studies/{studies[0]}/reviews", json=given)
    assert answer.status_code == status
    assert review_of(anna, studies[0]) is None


def test_a_verdict_that_was_revised_meanwhile_is_not_reviewed(
    anna: TestClient, studies: list[str]
) -> None:
    address = f"/api/v1/studies/{studies[0]}/reviews"
    stale = anna.post(address, json={"opinion": "agree", "revision": 99})
    assert stale.status_code == 409
    assert "revised" in stale.json()["detail"]
    assert anna.post(address, json={"opinion": "agree", "revision": 1}).status_code == 201
    anna.delete(f"{address}/newest")


def test_a_machine_cannot_review(desk: TestDesk, studies: list[str]) -> None:
    machine = desk.machine(Role.RADIOLOGIST, "reviewer")
    answer = machine.post(f"/api/v1/studies/{studies[0]}/reviews", json={"opinion": "agree"})
    assert answer.status_code == 403


def test_too_much_is_not_read(anna: TestClient, studies: list[str]) -> None:
    address = f"/api/v1/studies/{studies[0]}/reviews"
    assert anna.post(address, content=b"x" * 70_000).status_code == 413
    assert anna.post(address, content=iter([b"x"] * 3)).status_code == 411
    assert (
        anna.post(address, content=b"{", headers={"content-type": "application/json"}).status_code
        == 422
    )


def test_a_script_in_a_name_is_text(anna: TestClient, studies: list[str]) -> None:
    for path in ("/", f"/cases/{studies[0]}"):
        page = anna.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
    note = {"opinion": "uncertain", "note": "<img src=x onerror=alert(1)>"}
    anna.post(f"/api/v1/studies/{studies[0]}/reviews", json=note)
    page = anna.get(f"/cases/{studies[0]}").text
    assert "<img src=x" not in page
    anna.delete(f"/api/v1/studies/{studies[0]}/reviews/newest")


def test_the_description_has_an_operation_for_each_path(anna: TestClient) -> None:
    described = anna.get("/api/v1/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (path, method)
            assert operation["tags"], (path, method)


def test_schemathesis_finds_no_answer_that_is_not_described(
    desk: TestDesk, anna: TestClient, studies: list[str]
) -> None:
    machine = desk.machine(name="schemathesis")
    token = {"Authorization": machine.headers["Authorization"]}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", desk.app, headers=token)

    for found in schema.get_all_operations():
        run_cases(found.ok().as_strategy(), token)


def run_cases(strategy: object, headers: dict[str, str]) -> None:
    @hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy)  # type: ignore[arg-type]
    def probe(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    probe()


def test_a_search_is_among_all_verdicts_unless_some_are_chosen(
    anna: TestClient, studies: list[str]
) -> None:
    found = anna.get("/api/v1/cases?text=doe").json()["cases"]
    assert {case["study_instance_uid"] for case in found} == set(studies[1:])
    page = anna.get("/?verdict=suspected&text=doe").text
    assert "No such cases among suspected" in page
    assert 'href="/?text=doe"' in page


def test_a_review_that_contradicts_itself_is_refused(anna: TestClient, studies: list[str]) -> None:
    address = f"/api/v1/studies/{studies[1]}/reviews"
    before = anna.get(address).json()
    for opinion, finding in (("agree", "no_fracture"), ("disagree", "fracture")):
        answer = anna.post(address, json={"opinion": opinion, "finding": finding})
        assert answer.status_code == 400
        assert "cannot both be meant" in answer.json()["detail"]
    assert anna.get(address).json() == before


@pytest.mark.parametrize("uid", ["1.2 3", "1.2?x", "1.2#3", "1" * 65, "1.2&é"])
def test_a_study_with_an_odd_uid_is_opened_and_reviewed(
    desk: TestDesk, anna: TestClient, uid: str
) -> None:
    (ds,) = small_study(52, 1)
    ds.SOPInstanceUID = f"1.2.{len(uid)}.{sum(uid.encode())}"
    ds.StudyInstanceUID = "1.2.840.1"
    study = desk.file(ds, Prediction(0.9))
    with desk.records.begin() as session:
        session.execute(
            text("UPDATE studies SET study_instance_uid = :uid WHERE study_instance_uid = :was"),
            {"uid": uid, "was": study},
        )
    listed = re.findall(r'<tr class="case[^>]*>.*?href="([^"]+)"', anna.get("/").text, re.S)
    address = f"/cases/{quote(uid, safe='')}"
    assert address in [unescape(each).partition("?")[0] for each in listed]
    assert anna.get(address).status_code == 200
    answer = anna.post(f"/api/v1/studies/{quote(uid, safe='')}/reviews", json={"opinion": "agree"})
    assert answer.status_code == 201
