"""The desk says of pixels that a rule removed when and by which, in place of the picture."""

from __future__ import annotations

import datetime as dt
import io
import shutil
from collections.abc import Iterator

import pytest
from conftest import require
from desk import PASSWORD, TestDesk
from kept_studies import Shelf
from playwright.sync_api import expect, sync_playwright
from rich.console import Console
from test_worklist_rest import png

from phantoms.load import small_study
from screening.archive.free_space import LowDisk
from screening.domain.prediction import Prediction
from screening.domain.retention import Policy, Rule
from screening.records.audit import read_audit
from screening.records.dossier import open_dossier
from screening.records.holds import place_hold, release_hold
from screening.settings import Settings
from worklist.study_sheet import study_sheet

POLICY = Policy((Rule("flagged", 30),), "d" * 64)


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


@pytest.fixture
def study(desk: TestDesk) -> str:
    """A study of two images whose first one lost its pixels: the other came later."""
    first, second = small_study(1, 2)
    uid = desk.file(first, Prediction(0.9), png(200))
    Shelf(desk.records, desk.archive, POLICY).run(desk.now + dt.timedelta(days=30))
    desk.file(second, Prediction(0.3), png(100))
    return uid


def test_rest_answers_410_and_says_why(desk: TestDesk, study: str) -> None:
    machine = desk.machine()
    found = machine.get(f"/api/v1/studies/{study}").json()
    gone, there = found["images"]
    assert gone["removal"]["rule"] == "flagged"
    assert (there["removal"], gone["scores"][0]["heatmap"]) == (None, None)
    assert (gone["scores"][0]["probability"], gone["state"]) == (0.9, "scored")
    uid = gone["sop_instance_uid"]
    for what in (f"images/{uid}/frame", f"images/{uid}/picture", f"images/{uid}/heatmap"):
        answer = machine.get(f"/api/v1/{what}")
        assert answer.status_code == 410, what
        assert "by rule flagged; the PACS may send them again" in answer.json()["detail"]
    assert machine.get(f"/api/v1/studies/{study}/thumbnail").status_code == 410
    other = there["sop_instance_uid"]
    assert machine.get(f"/api/v1/images/{other}/frame").status_code == 200
    with desk.records.read() as session:
        shown = [each.detail for each in read_audit(session) if each.event == "image_shown"]
    assert shown == [f"frame of {other}"], "nobody saw what is not there"


def test_a_hold_is_seen_where_the_study_is_until_it_is_released(desk: TestDesk, study: str) -> None:
    client = desk.signed_in("anna")
    with desk.records.begin() as session:
        hold = place_hold(session, study, "court, <b>file 17</b>", "console:admin", desk.now)
    page = client.get(f"/cases/{study}").text
    assert "court, &lt;b&gt;file 17&lt;/b&gt;" in page
    (held,) = client.get(f"/api/v1/studies/{study}").json()["holds"]
    assert (held["number"], held["why"]) == (hold.number, "court, <b>file 17</b>")
    assert "court, <b>file 17</b> (console:admin)" in sheet(desk, study)
    with desk.records.begin() as session:
        release_hold(session, hold.number, "console:admin", desk.now)
    assert "On hold" not in client.get(f"/cases/{study}").text
    assert client.get(f"/api/v1/studies/{study}").json()["holds"] == []
    assert "On hold" not in sheet(desk, study)


def sheet(desk: TestDesk, study: str) -> str:
    with desk.records.read() as session:
        dossier = open_dossier(session, study)
    assert dossier is not None
    console = Console(file=io.StringIO(), width=120)
    console.print(study_sheet(dossier))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_case_shows_words_in_place_of_the_picture(desk: TestDesk, study: str) -> None:
    program = shutil.which("chromium")
    require(program, "Chromium is not installed: apt-get install chromium")
    desk.add_user("anna")
    asked: list[str] = []
    with desk.served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/sign-in")
        page.fill("[name=name]", "anna")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(f"{address}/")
        page.goto(f"{address}/cases/{study}")
        expect(page.locator(".view .problem")).to_contain_text("Its pixels removed on")
        expect(page.locator(".view .problem")).to_contain_text("by rule flagged")
        expect(page.locator(".scores li").first).to_contain_text("pixels removed on")
        expect(page.locator(".scores li").last).not_to_contain_text("pixels removed")
        browser.close()
    gone, _ = small_study(1, 2)
    assert not [url for url in asked if str(gone.SOPInstanceUID) in url], "nothing is asked for"


def test_a_low_disk_is_said_on_every_page(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    client = desk.signed_in("anna")
    assert "disk is low" not in client.get("/").text
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2_000_000_000))
    low = desk.settings.model_copy(update={"low_free_gigabytes": 5.0})
    disk = LowDisk(low.archive_dir, low.low_free_bytes)
    object.__setattr__(desk.app.state.desk, "low_disk", disk)
    assert "disk is low: 2.0 GB are left" in client.get("/").text
    assert "disk is low" in client.get("/nights").text
    full = low.model_copy(update={"minimum_free_gigabytes": 3.0})
    object.__setattr__(desk.app.state.desk, "settings", full)
    assert "disk is full: images are refused" in client.get("/").text
