"""Drift at the desk: the page, REST and the console, and who may see it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from desk import TestDesk
from fastapi.testclient import TestClient
from filed_cases import file_study
from made_weeks import TODAY, Habit, make_weeks
from typer.testing import CliRunner

from nightread.console import make_console
from screening.domain.account import Role
from screening.domain.dimension import Dimension
from screening.domain.prediction import Prediction
from screening.records.audit import read_audit
from screening.settings import Settings
from worklist.drift import MOST_GROUPS, read_drift
from worklist.drift_table import summary

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    made.now = dt.datetime.combine(TODAY, dt.time(12), dt.UTC)
    yield made
    made.close()


@pytest.fixture
def anna(desk: TestDesk) -> TestClient:
    return desk.signed_in("anna")


@pytest.fixture
def drifted(desk: TestDesk) -> TestDesk:
    """Two scanners, of which the second one's last three weeks have more flags."""
    make_weeks(
        desk.records,
        {
            "ACME DX-1": lambda _: Habit(),
            "ACME DX-2": lambda week: Habit(flagged=0.15 if week < 17 else 0.5),
        },
    )
    return desk


def page(client: TestClient, query: str = "") -> str:
    answer = client.get(f"/drift{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def charts(text: str) -> list[ElementTree.Element]:
    """Return the pictures that have marks; a page of ours is well formed in these."""
    found = re.findall(r'<svg class="course".*?</svg>', text, re.DOTALL)
    return [
        ElementTree.fromstring(each.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))
        for each in found
    ]


def test_what_is_outside_is_named_in_words_and_leads_to_its_studies(
    drifted: TestDesk, anna: TestClient
) -> None:
    text = page(anna, "?weeks=20")
    said = re.search(
        r'<span class="alarm">ACME DX-2</span>, week of 2026-11-16: (\d+) % of studies flagged '
        r"\((\d+) of \d+\); [\d.]+ % to [\d.]+ % expected; outside in 2 earlier weeks as well "
        r'<a href="/\?([^"]+)">its studies, with those of others</a>',
        text,
    )
    assert said is not None
    assert "ACME DX-1</span>" not in text
    listed = anna.get(f"/api/v1/cases?limit=500&{said[3].replace('&amp;', '&')}").json()
    assert {case["study_date"] for case in listed["cases"]} <= {
        (dt.date(2026, 11, 16) + dt.timedelta(days=day)).isoformat() for day in range(7)
    }
    assert {case["verdict"] for case in listed["cases"]} == {"suspected", "doubtful"}
    assert len(listed["cases"]) > int(said[2])


def test_a_body_part_leads_to_its_own_studies_alone(drifted: TestDesk, anna: TestClient) -> None:
    found = anna.get("/api/v1/drift?by=body-part&weeks=20").json()
    alarm = next(
        each for each in found["alarms"] if (each["figure"], each["group"]) == ("flagged", "HAND")
    )
    (group,) = (each for each in found["groups"] if each["group"] == "HAND")
    (week,) = (each for each in group["weeks"] if each["week"] == alarm["week"])
    listed = anna.get(f"/api/v1/cases{alarm['list'][1:]}&limit=500").json()["cases"]
    assert len(listed) == week["flagged"]
    assert {case["body_part"] for case in listed} == {"HAND"}


def test_charts_have_names_limits_and_a_shape_for_what_is_outside(
    drifted: TestDesk, anna: TestClient
) -> None:
    found = charts(page(anna, "?weeks=20&group=ACME+DX-2"))
    first = found[0]
    assert first.findtext(f"{SVG}title") == "Flagged, ACME DX-2"
    assert "3 outside the limits" in str(first.findtext(f"{SVG}desc"))
    assert first.find(f"{SVG}polygon[@class='band']") is not None
    assert first.find(f"{SVG}rect[@class='before']") is not None
    marked = first.findall(f"{SVG}a")
    assert len(marked) == 3
    for each in marked:
        assert each.find(f"{SVG}path[@class='outside']") is not None
        assert "expected" in each.attrib["aria-label"]
    assert len(first.findall(f"{SVG}circle[@class='reference']")) == 8


def test_the_board_is_the_same_by_rest(drifted: TestDesk, anna: TestClient) -> None:
    found = anna.get("/api/v1/drift?weeks=20").json()
    assert (found["by"], found["last_week"]) == ("scanner", "2026-11-16")
    assert found["false_alarms_expected_at_most"] <= 1
    assert {each["group"] for each in found["alarms"]} == {"ACME DX-2"}
    weeks = found["groups"][0]["weeks"]
    states = [week["figures"]["flagged"]["state"] for week in weeks]
    assert states == ["reference"] * 8 + ["judged"] * 12
    assert set(weeks[0]["figures"]) == {
        *("flagged", "not scored", "median score", "distance of scores"),
        *("agreed", "PPV of flags"),
    }
    assert weeks[-1]["figures"]["flagged"]["low"] <= weeks[-1]["figures"]["flagged"]["high"]


def run(settings: Settings, *options: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return CliRunner().invoke(
        make_console(),
        ["drift", *options],
        env={"NIGHTREAD_DATA_DIR": str(settings.data_dir)},
        prog_name="nightread",
    )


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_look_and_it_is_an_entry_of_the_audit(desk: TestDesk, role: Role) -> None:
    client = desk.signed_in("somebody", role)
    assert client.get("/drift?by=age&weeks=12").status_code == 200
    assert client.get("/api/v1/drift").status_code == 200
    with desk.records.read() as session:
        said = [each.detail for each in read_audit(session) if each.event == "listed"]
    assert said[:2] == ["drift by scanner, 26 weeks", "drift by age, 12 weeks"]


def test_nobody_sees_it_without_signing_in(desk: TestDesk) -> None:
    client = desk.client()
    answer = client.get("/drift?by=age")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/api/v1/drift").status_code == 401
    assert desk.machine().get("/api/v1/drift").status_code == 200


@pytest.mark.parametrize("query", ["by=hospital", "weeks=0", "weeks=105", "weeks=many"])
def test_what_cannot_be_meant_is_refused(anna: TestClient, query: str) -> None:
    assert anna.get(f"/drift?{query}").status_code == 422
    assert anna.get(f"/api/v1/drift?{query}").status_code == 422


def test_a_group_that_is_not_there_is_said(anna: TestClient) -> None:
    answer = anna.get("/drift?group=%3Cb%3E")
    assert answer.status_code == 404
    assert "no such group in these weeks" in answer.text


def test_before_anything_came_it_says_so(desk: TestDesk, anna: TestClient) -> None:
    for weeks in (1, 26):
        text = page(anna, f"?weeks={weeks}")
        assert "No study was made in these weeks." in text
        assert "<svg" not in text


def test_one_week_is_shown_without_limits(desk: TestDesk, anna: TestClient) -> None:
    make_weeks(desk.records, {"ACME DX-1": lambda _: Habit(reviewed=0.0)}, weeks=1)
    for query in ("", "?weeks=1"):
        text = page(anna, query)
        assert "There are no limits yet: a group needs 8 weeks" in text
        assert "The furthest has 1." in text
        assert "No reviews yet." in text
        assert "All studies are of one scanner: ACME DX-1." in text
        assert "no limits yet" in text
        assert "alarm" not in text


def test_a_study_without_a_date_is_told(desk: TestDesk, anna: TestClient) -> None:
    file_study(desk.records, "1.1", Prediction(0.1))
    assert "1 study has no date and is in no week." in page(anna)
    found = read_drift(desk.records, Dimension.SCANNER, 26, TODAY)
    assert "1 study has no date and is in no week." in summary(found)


def test_names_from_outside_do_nothing(desk: TestDesk, anna: TestClient) -> None:
    name = '<script>alert(1)</script>"\x1b[31m'
    file_study(
        desk.records, "1.1", Prediction(0.9), study_date=TODAY, station_name=name, body_part="<i>"
    )
    for by in ("scanner", "body-part"):
        text = page(anna, f"?by={by}")
        assert "<script>alert" not in text
        assert "\x1b" not in text
        assert "<i>" not in text
        assert charts(text)


def test_the_page_keeps_to_its_size_with_many_scanners(desk: TestDesk, anna: TestClient) -> None:
    habits = {f"ACME DX-{number}": lambda _: Habit(studies=3) for number in range(30)}
    make_weeks(desk.records, habits, weeks=4)
    text = page(anna, "?weeks=4")
    assert "Below, 8 of 30 groups" in text
    assert text.count('<h2 class="group"') == 8
    assert page(anna, "?weeks=4&group=ACME+DX-29").count('<h2 class="group"') == 1


def test_of_thousands_of_names_the_largest_are_judged_and_the_rest_is_told(
    desk: TestDesk, anna: TestClient
) -> None:
    habits = {f"ACME DX-{number}": lambda _: Habit(studies=3) for number in range(MOST_GROUPS)}
    made_up = {f"ROOM {number}": lambda _: Habit(studies=1) for number in range(200)}
    make_weeks(desk.records, made_up | habits, weeks=2)
    told = (
        "60 largest groups are judged. Left out: 200 smaller, of at most 2 studies each and 400 in"
    )
    assert told in page(anna, "?weeks=2")
    small = anna.get("/drift?weeks=2&group=ROOM+7")
    assert (small.status_code, "too small to be judged" in small.text) == (404, True)
    found = anna.get("/api/v1/drift?weeks=2").json()
    assert (found["groups_left_out"], found["studies_of_groups_left_out"]) == (200, 400)
    assert {each["group"] for each in found["groups"]} == set(habits)
    assert told in summary(read_drift(desk.records, Dimension.SCANNER, 2, TODAY))


def test_the_console_says_what_is_outside(settings: Settings) -> None:
    desk = TestDesk(settings)
    today = dt.datetime.now().astimezone().date()
    make_weeks(
        desk.records,
        {
            "ACME DX-1": lambda _: Habit(),
            "ACME DX-2": lambda week: Habit(flagged=0.15 if week < 17 else 0.6),
        },
        today=today,
    )
    desk.close()
    ran = run(settings, "--weeks", "20")
    assert ran.exit_code == 1
    assert re.search(r"ACME DX-2, week of [\d-]+: \d+ % of studies flagged", ran.stdout)
    assert "figures outside the limits; by chance alone" in " ".join(ran.stdout.split())
    assert re.search(r"^ACME DX-1 +60 ", ran.stdout, re.MULTILINE)
    told = json.loads(run(settings, "--weeks", "20", "--json").stdout)
    assert {each["group"] for each in told["alarms"]} >= {"ACME DX-2"}
    assert run(settings, "--by", "age", "--weeks", "3").exit_code == 0
    assert run(settings, "--weeks", "105").exit_code == 2


def test_the_console_of_an_empty_house_is_calm(desk: TestDesk, settings: Settings) -> None:
    ran = run(settings)
    assert (ran.exit_code, ran.stdout) == (0, "No study was made in these weeks.\n")
