"""Champion and shadow at the desk: who may see and swap them, and what is shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import require
from console import nightread
from desk import PASSWORD, SCORER, TestDesk
from fastapi.testclient import TestClient
from playwright.sync_api import expect, sync_playwright
from sqlalchemy import select

from phantoms.load import small_study
from screening.domain.account import Role
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.verdict import OperatingPoints
from screening.records import audit
from screening.records.results import Scorer
from screening.records.schema import InstanceRow
from screening.records.shadow import record_shadow
from screening.settings import Settings

NEW = Scorer(ModelIdentity("densenet", "1.0.0", "d" * 64), OperatingPoints(0.3, 0.8))
PROMOTION = {"model": "densenet", "version": "1.0.0", "why": "fewer flags", "anyway": True}
# What the champion and what the shadow says of each image: the last two are flagged by one alone.
SAID = [(0.95, 0.9), (0.1, 0.05), (0.7, 0.4), (0.25, 0.1), (0.1, 0.85)]


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    for number, (own, _) in enumerate(SAID):
        made.file(next(small_study(number, 1)), Prediction(own))
    with made.records.begin() as session:
        rows = sorted(session.scalars(select(InstanceRow.id)))
        said = {row: Prediction(shadow) for row, (_, shadow) in zip(rows, SAID, strict=True)}
        record_shadow(session, said, NEW, made.now, 0.05)
    yield made
    made.close()


@pytest.fixture
def admin(desk: TestDesk) -> TestClient:
    return desk.signed_in("ada", Role.ADMIN)


def events(desk: TestDesk) -> list[str]:
    with desk.records.read() as session:
        found = [entry.event for entry in audit.read_audit(session)]
    return [event for event in found if event.startswith("model_")]


def champion(client: TestClient) -> str:
    return str(client.get("/api/v1/models").json()["standing"]["champion"]["identity"]["name"])


def test_both_are_compared_by_their_own_points(desk: TestDesk, admin: TestClient) -> None:
    anna = desk.signed_in("anna")
    uid = next(small_study(0, 1)).StudyInstanceUID
    assert anna.post(f"/api/v1/studies/{uid}/reviews", json={"opinion": "agree"}).is_success
    found = admin.get("/api/v1/models").json()
    compared = found["comparison"]
    assert (found["standing"]["number"], found["shadow_scored"]) == (0, 5)
    assert compared["table"] == [[1, 1, 0], [0, 0, 1], [1, 0, 1]]
    counts = [compared[name] for name in ("same_verdict", "only_champion", "only_shadow")]
    assert counts == [2, 1, 1]
    precision = compared["champion"]["precision"]
    assert (precision["count"], precision["of"]) == (1, 1)
    assert 0 < precision["low"] < precision["high"] == 1
    assert compared["reviewed_only_shadow"]["count"] == 0
    assert [each["shadow"] for each in compared["discordant"]] == [0.85, 0.1]
    assert compared["shadow"]["seconds"] == 0.05


def test_an_administrator_promotes_and_goes_back(desk: TestDesk, admin: TestClient) -> None:
    answer = admin.post("/api/v1/models/promotions", json=PROMOTION | {"seen": 0})
    assert answer.status_code == 201, answer.text
    assert answer.json()["standing"]["champion"]["identity"]["name"] == "densenet"
    assert answer.json()["standing"]["by"] == "ada"
    # A request whose answer was lost is sent again.
    assert admin.post("/api/v1/models/promotions", json=PROMOTION | {"seen": 0}).status_code == 200
    behind = {"why": "it misses hands", "seen": 0}
    assert admin.post("/api/v1/models/rollbacks", json=behind).status_code == 409
    behind["seen"] = answer.json()["standing"]["number"]
    assert admin.post("/api/v1/models/rollbacks", json=behind).status_code == 201
    assert champion(admin) == "mobilenet_v2"
    again = admin.post("/api/v1/models/rollbacks", json={"why": "again"})
    assert again.status_code == 400
    assert "is back already" in again.json()["detail"]
    assert events(desk) == ["model_rolled_back", "model_promoted"]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"anyway": False}, 400, "must have scored 200"),
        ({"model": "vgg16"}, 400, "no model vgg16"),
        ({"version": "2"}, 400, "no model densenet 2"),
        ({"digest": "e" * 64}, 400, "other weights"),
        ({"why": " "}, 400, "say why"),
        ({"why": ""}, 422, "why"),
        ({"digest": "short"}, 422, "digest"),
        ({"seen": 3}, 409, "look at the models"),
        ({"seen": -1}, 422, "seen"),
        ({"role": "champion"}, 422, "role"),
    ],
)
def test_a_promotion_that_cannot_be_is_refused_with_words(
    desk: TestDesk, admin: TestClient, change: dict[str, object], status: int, said: str
) -> None:
    answer = admin.post("/api/v1/models/promotions", json=PROMOTION | change)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert champion(admin) == "mobilenet_v2"
    assert events(desk) == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RADIOLOGIST])
def test_others_look_and_change_nothing(desk: TestDesk, role: Role) -> None:
    client = desk.signed_in("anna", role)
    page = client.get("/models")
    assert page.status_code == 200
    assert "Make it champion" not in page.text
    assert client.post("/api/v1/models/promotions", json=PROMOTION).status_code == 403
    assert client.post("/api/v1/models/rollbacks", json={"why": "no"}).status_code == 403
    assert client.post("/models/promotion", data={}).status_code == 403
    assert client.post("/models/rollback", data={}).status_code == 403
    assert events(desk) == []


def test_nobody_in_particular_sees_nothing(desk: TestDesk) -> None:
    client = desk.client()
    assert client.get("/api/v1/models").status_code == 401
    assert client.get("/models").headers["location"] == "/sign-in"
    for path in ("promotions", "rollbacks"):
        assert client.post(f"/api/v1/models/{path}", json=PROMOTION).status_code == 401


def test_a_form_of_another_site_promotes_nobody(desk: TestDesk, admin: TestClient) -> None:
    admin.headers.pop("X-Form-Secret")
    fields = PROMOTION | {"digest": "d" * 64, "seen": 0, "anyway": "true"}
    assert admin.post("/models/promotion", data=fields).status_code == 403
    assert champion(admin) == "mobilenet_v2"


def test_what_a_bundle_calls_itself_cannot_act_on_the_page(desk: TestDesk) -> None:
    hostile = Scorer(ModelIdentity("<script>x</script>", "1\u202e", "e" * 64), SCORER.points)
    with desk.records.begin() as session:
        row = session.scalars(select(InstanceRow.id)).first()
        assert row is not None
        record_shadow(session, {row: Prediction(0.5)}, hostile, desk.now)
    text = desk.signed_in("ada", Role.ADMIN).get("/models").text
    assert "<script>x" not in text
    assert "&lt;script&gt;x" in text


def test_before_the_first_score_there_is_a_page_all_the_same(
    settings: Settings, tmp_path: Path
) -> None:
    empty = TestDesk(settings.model_copy(update={"data_dir": tmp_path / "empty"}))
    admin = empty.signed_in("ada", Role.ADMIN)
    assert "Nothing is scored yet" in admin.get("/models").text
    assert admin.get("/api/v1/models").json()["comparison"] is None
    refused = admin.post("/api/v1/models/promotions", json=PROMOTION)
    assert refused.status_code == 400
    empty.close()


def test_a_browser_promotes_and_goes_back(desk: TestDesk, tmp_path: Path) -> None:
    found = shutil.which("chromium")
    require(found, "Chromium is not installed: apt-get install chromium")
    desk.add_user("ada", Role.ADMIN)
    troubles: list[str] = []
    with desk.served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.on("console", lambda told: troubles.append(told.text) if told.type == "error" else 0)
        page.goto(address)
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Models").click()
        expect(page.locator(".discordant li")).to_have_count(2)
        page.get_by_text("Make densenet 1.0.0 champion").click()
        assert page.locator("svg rect.shadow").count() == 20
        assert Axe().run(page).response["violations"] == []
        page.screenshot(path=tmp_path / "models.png", full_page=True)
        form = page.locator("form[action='/models/promotion']")
        form.get_by_label("Why").fill("fewer flags")
        form.get_by_role("button", name="Make it champion").click()
        expect(page.locator("form[action='/models/rollback']")).to_have_count(0)
        assert events(desk) == [], "nothing is done before it is confirmed"
        for box in form.get_by_role("checkbox").all():
            box.check()
        form.get_by_role("button", name="Make it champion").click()
        expect(page.locator("table.sides tbody tr").first).to_contain_text("densenet 1.0.0")
        page.get_by_text("Go back to mobilenet_v2").click()
        back = page.locator("form[action='/models/rollback']")
        back.get_by_label("Why").fill("it misses hands")
        back.get_by_role("checkbox").check()
        back.get_by_role("button", name="Go back").click()
        expect(page.get_by_text("it misses hands")).to_be_visible()
        page.screenshot(path=tmp_path / "back.png", full_page=True)
        browser.close()
    assert troubles == []
    assert events(desk) == ["model_rolled_back", "model_promoted"]


def test_the_console_shows_compares_and_appoints(desk: TestDesk, tmp_path: Path) -> None:
    data = {"data_dir": desk.settings.data_dir}
    shown = nightread("model", "compare", cwd=tmp_path, **data)
    assert "2 get the same verdict, 1 are flagged by the champion alone, 1 by" in shown.stdout
    assert "verification bias" in shown.stdout
    unknown = nightread("model", "promote", "vgg16", "--why", "x", cwd=tmp_path, **data)
    assert unknown.returncode == 1
    assert "no model vgg16 has scored here" in unknown.stderr
    done = nightread("model", "promote", "densenet", "--why", "x", "--anyway", cwd=tmp_path, **data)
    assert "champion densenet 1.0.0, shadow mobilenet_v2 0.2.0" in done.stderr
    again = nightread("model", "promote", "densenet", "--why", "x", cwd=tmp_path, **data)
    assert again.returncode == 0
    assert "already: nothing was changed" in again.stderr
    none = nightread("model", "shadow", "--why", "it is slow", cwd=tmp_path, **data)
    assert "shadow none" in none.stderr
    told = json.loads(nightread("model", "show", "--json", cwd=tmp_path, **data).stdout)
    assert [act["act"] for act in told["acts"]] == ["shadow", "promotion", "beginning"]
    assert told["champion"]["identity"]["name"] == "densenet"
    text = nightread("model", "show", cwd=tmp_path, **data).stdout
    assert "it is slow" in text
