"""The desk in a real browser, as a radiologist uses it."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import require, wait_until
from desk import PASSWORD, TestDesk
from made_weeks import TODAY, Habit, make_weeks
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from test_worklist_rest import png

from phantoms.load import small_study
from screening.dicom.pixels import read_pixels
from screening.domain.account import Role
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.settings import Settings

GRAPHICS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium")
    require(found, "Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=GRAPHICS)
        yield opened
        opened.close()


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    for number, score in enumerate([0.97, 0.8, 0.4, 0.1]):
        first, second = small_study(number, 2)
        made.file(first, Prediction(score), png(200) if score > 0.2 else None)
        made.file(second, Prediction(score / 2))
    made.file(next(small_study(9, 1)), Exclusion(Reason.TOO_SMALL, "40 x 40"))
    yield made
    made.close()


@pytest.fixture
def address(desk: TestDesk) -> Iterator[str]:
    with desk.served() as served:
        yield served


@pytest.fixture
def troubles() -> Iterator[list[str]]:
    """Whatever a page complains of on its console; a test that ends with some has failed."""
    found: list[str] = []
    yield found
    assert found == []


def context_of(browser: Browser, troubles: list[str]) -> BrowserContext:
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    made.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    made.on("weberror", lambda error: troubles.append(str(error.error)))
    return made


@pytest.fixture
def page(browser: Browser, desk: TestDesk, address: str, troubles: list[str]) -> Iterator[Page]:
    """A page of somebody who has signed in, at the list."""
    desk.add_user("anna")
    context = context_of(browser, troubles)
    opened = context.new_page()
    sign_in(opened, address, "anna")
    yield opened
    context.close()


def sign_in(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#lines")
    # A key that comes before the page's scripts have run is nobody's.
    page.wait_for_load_state("load")


def shown(page: Page) -> None:
    """Wait until the viewer shows a frame."""
    page.wait_for_selector(".view[data-shown]", timeout=30_000)


def first_case(page: Page) -> None:
    page.locator("tr.case a").first.click()
    shown(page)


def pixel(page: Page, x: int, y: int) -> int:
    """Return the grey value of the viewer at a pixel of its canvas, from the top left."""
    read = """([x, y]) => {
      const canvas = document.querySelector('.view canvas'), gl = canvas.getContext('webgl2');
      const found = new Uint8Array(4);
      gl.readPixels(x, canvas.height - 1 - y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, found);
      return found[0];
    }"""
    return int(page.evaluate(read, [x, y]))


def test_signing_in_filtering_and_opening(page: Page, desk: TestDesk) -> None:
    expect(page.locator("tr.case")).to_have_count(3)
    scores = page.locator("tr.case td:nth-child(2)").all_inner_texts()
    assert scores == ["0.97", "0.80", "0.40"]
    expect(page.get_by_role("note")).to_have_text("Not for diagnosis")
    page.get_by_role("checkbox", name="clear").check()
    page.get_by_label("Search").fill("l000003")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tr.case")).to_have_count(1)
    assert "text=l000003" in page.url
    page.reload()
    expect(page.locator("tr.case")).to_have_count(1)
    first_case(page)
    expect(page.locator(".facts h1")).to_contain_text("PHANTOM")


def test_window_and_level_change_pixels_as_computed(page: Page, desk: TestDesk) -> None:
    first_case(page)
    page.keyboard.press("1")
    uid = str(page.locator(".view").get_attribute("data-uid"))
    expected = read_pixels(desk.path_of(uid))
    place = "nightread.stage.view.ways().toCanvas(0, 0)"
    left, top = page.evaluate(place)
    rows, columns = expected.shape
    places = [(columns // 3, rows // 3), (columns // 2, rows // 2), (columns // 2, rows // 4)]
    for x, y in places:
        assert abs(pixel(page, left + x, top + y) - 255 * expected[y, x]) <= 1
    before = page.evaluate("({...nightread.stage.view.window})")
    box = page.locator(".view").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 60)
    page.mouse.up()
    window = page.evaluate("({...nightread.stage.view.window})")
    assert window["width"] > before["width"]
    assert window["center"] > before["center"], "up is darker, down is brighter"
    frame = page.evaluate(
        "(({inverted, slope, intercept, columns, words}) => "
        "({inverted, slope, intercept, columns, words: Array.from(words)}))"
        "(nightread.stage.view.frame)"
    )
    for x, y in places:
        value = frame["words"][y * frame["columns"] + x] * frame["slope"] + frame["intercept"]
        share = (value - window["center"] + 0.5) / (window["width"] - 1) + 0.5
        share = float(np.clip(share, 0, 1))
        share = 1 - share if frame["inverted"] else share
        assert abs(pixel(page, left + x, top + y) - 255 * share) <= 1
    page.keyboard.press("i")
    x, y = places[0]
    value = frame["words"][y * frame["columns"] + x] * frame["slope"] + frame["intercept"]
    share = float(np.clip((value - window["center"] + 0.5) / (window["width"] - 1) + 0.5, 0, 1))
    share = share if frame["inverted"] else 1 - share
    assert abs(pixel(page, left + x, top + y) - 255 * share) <= 1


def test_the_heatmap_is_a_layer_that_comes_and_goes(page: Page) -> None:
    first_case(page)
    # Not wait_for_function, which has the page evaluate a text: its policy forbids that.
    has_heat = "Boolean(nightread.stage.view.hasHeat)"
    wait_until(lambda: page.evaluate(has_heat), 20, "the heatmap is there")
    plain = page.locator(".view").screenshot()
    page.keyboard.press("h")
    expect(page.locator('[data-tool="heat"]')).to_have_attribute("aria-pressed", "true")
    glowing = page.locator(".view").screenshot()
    assert colourful(glowing) > 0.05 > colourful(plain)
    page.keyboard.press("h")
    assert colourful(page.locator(".view").screenshot()) == pytest.approx(colourful(plain))


def colourful(picture: bytes) -> float:
    """Return how much of a picture is not grey."""
    colours = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    return float((np.ptp(colours, axis=2) > 30).mean())


def test_turning_flipping_fitting_and_measuring(page: Page) -> None:
    first_case(page)
    for key in ("r", "f", "0", "1", "m"):
        page.keyboard.press(key)
    box = page.locator(".view").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1])
    page.mouse.up()
    said = page.locator(".left-bottom").inner_text()
    spacing = page.evaluate("nightread.stage.view.frame.spacing")
    length = float(re.search(r"([\d.]+) mm", said)[1])  # type: ignore[index]
    # Turned by a quarter: what is right on the screen runs along the rows.
    assert length == pytest.approx(100 * spacing["row"], abs=spacing["row"])
    assert ("at the detector" in said) is spacing["at_detector"]
    page.keyboard.press("s")
    expect(page.locator(".view")).to_have_count(2)


def test_a_review_by_one_key_and_its_undoing(page: Page, desk: TestDesk) -> None:
    first_case(page)
    page.get_by_label("Finding").select_option("fracture")
    page.get_by_label("Note").fill("distal radius")
    page.locator(".facts h1").click()
    page.keyboard.press("a")
    expect(page.locator("#reviews .review")).to_have_text("agree")
    expect(page.locator("#reviews")).to_contain_text("distal radius")
    page.keyboard.press("z")
    expect(page.locator("#reviews li").first).to_contain_text("took back")
    page.keyboard.press("d")
    expect(page.locator("#reviews li").first).to_contain_text("disagree")
    page.keyboard.press("Escape")
    expect(page.locator("tr.case").first).to_contain_text("disagree")


def test_a_new_flagged_study_comes_in_while_the_page_is_open(page: Page, desk: TestDesk) -> None:
    expect(page.locator("tr.case")).to_have_count(3)
    page.keyboard.press("j")
    chosen = page.locator('tr[aria-selected="true"]').get_attribute("data-uid")
    desk.file(next(small_study(20, 1)), Prediction(0.99))
    expect(page.locator("tr.case")).to_have_count(4, timeout=15_000)
    assert page.locator('tr[aria-selected="true"]').get_attribute("data-uid") == chosen
    expect(page.locator(".count.suspected b")).to_have_text("3")
    expect(page.locator("#said")).to_contain_text("1 new")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.press("Escape")
    for _ in range(2):
        page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    shown(page)
    began = page.evaluate("performance.timeOrigin")
    first = page.locator("#case").get_attribute("data-uid")
    page.keyboard.press("u")
    expect(page.locator("#reviews .review")).to_have_text("uncertain")
    page.keyboard.press("j")
    expect(page.locator("#case")).not_to_have_attribute("data-uid", str(first))
    shown(page)
    page.keyboard.press("]")
    page.keyboard.press("k")
    expect(page.locator("#case")).to_have_attribute("data-uid", str(first))
    assert page.evaluate("performance.timeOrigin") == began, "no page was loaded anew"
    page.go_back()
    expect(page.locator("#case")).to_be_visible()


def test_two_on_one_case_see_each_other(
    page: Page, browser: Browser, desk: TestDesk, address: str, troubles: list[str]
) -> None:
    desk.add_user("bert", Role.RADIOLOGIST)
    context = context_of(browser, troubles)
    other = context.new_page()
    sign_in(other, address, "bert")
    for each in (page, other):
        first_case(each)
    page.keyboard.press("a")
    expect(other.locator("#reviews")).to_contain_text("anna", timeout=15_000)
    other.keyboard.press("d")
    expect(page.locator("#reviews li").first).to_contain_text("bert", timeout=15_000)
    context.close()


def test_more_lines_come_as_one_scrolls(page: Page, desk: TestDesk) -> None:
    for number in range(100, 160):
        desk.file(next(small_study(number, 1, side=128)), Prediction(0.9))
    page.reload()
    expect(page.locator("tr.case")).to_have_count(50)
    page.keyboard.press("End")
    expect(page.locator("tr.case")).to_have_count(63, timeout=15_000)


def test_an_image_without_its_file_says_so(page: Page, desk: TestDesk, troubles: list[str]) -> None:
    uid = page.locator("tr.case").first.get_attribute("data-uid")
    assert uid is not None
    from screening.records.dossier import open_dossier

    with desk.records.read() as session:
        dossier = open_dossier(session, uid)
    assert dossier is not None
    for image in dossier.images:
        desk.path_of(image.sop_instance_uid).unlink()
    page.locator("tr.case a").first.click()
    expect(page.locator(".view .problem")).to_contain_text("the archive has no instance")
    troubles[:] = [trouble for trouble in troubles if "415" not in trouble]


@pytest.mark.parametrize("width", [1280, 820])
def test_no_serious_fault_of_accessibility(page: Page, desk: TestDesk, width: int) -> None:
    desk.now += dt.timedelta(minutes=1)
    page.set_viewport_size({"width": width, "height": 800})
    serious: list[str] = []
    for place in ("list", "case", "nights", "night", "drift"):
        if place == "case":
            first_case(page)
        if place == "nights":
            page.get_by_role("link", name="Nights").click()
            expect(page.locator("h1")).to_have_text("Nights")
        if place == "night":
            page.locator(".cases a").first.click()
            expect(page.locator(".films img").first).to_be_visible()
        if place == "drift":
            page.get_by_role("link", name="Drift").click()
            expect(page.locator("h1")).to_have_text("Drift")
        found = Axe().run(page).response["violations"]
        serious += [
            f"{place}: {each['id']} {[node['target'] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overflow) <= 0, f"{place} is wider than {width} pixels"
    assert serious == []


def test_a_week_outside_its_limits_is_marked_and_opens_its_studies(
    page: Page, desk: TestDesk, address: str
) -> None:
    desk.now = dt.datetime.combine(TODAY, dt.time(12), dt.UTC)
    page.context.clear_cookies()
    make_weeks(
        desk.records,
        {
            "ACME DX-1": lambda _: Habit(),
            "ACME DX-2": lambda week: Habit(flagged=0.15 if week < 17 else 0.5),
        },
        first=1000,
    )
    sign_in(page, address, "anna")
    page.get_by_role("link", name="Drift").click()
    page.locator("select[name=by]").select_option("body-part")
    page.get_by_role("button", name="Show").click()
    mark = page.locator("svg.course a").last
    expect(mark).to_be_visible()
    assert "expected" in str(mark.get_attribute("aria-label"))
    serious = [each["id"] for each in Axe().run(page).response["violations"]]
    assert serious == []
    page.get_by_text("In numbers").first.click()
    expect(page.get_by_role("cell", name="outside,").first).to_be_visible()
    mark.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#lines")
    assert "first_date=2026-11-" in page.url
    expect(page.locator("tr.case").first).to_be_visible()
