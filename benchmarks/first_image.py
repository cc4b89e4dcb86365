"""From a click on a case to its first image on the screen, in Chromium, beside decoding it alone.

The worklist is served as `nightread serve` serves it, over loopback. Its cases hold one DX image
each, in JPEG Lossless. A case is opened from the list; then, three seconds later, the key for the
next one is pressed, whose image has been fetched ahead. A time ends with the second frame after the
image was drawn. Chromium has no graphics card: it draws on the processor, and shares its cores with
the worklist.

A ratio is how many times as long as the decoding of the same file, once, by the same library. Below
one second for the first image is the aim.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.apparatus.archived import copies, take_in_study
from benchmarks.apparatus.installation import settings_in
from benchmarks.apparatus.process import listens, running, wait_until
from benchmarks.apparatus.report import (
    BenchmarkError,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from benchmarks.read import write_images
from nightread.migrate import migrate_records
from screening.archive.folder_archive import FolderArchive
from screening.dicom.display import read_display
from screening.domain.account import Role
from screening.records.engine import Records
from screening.records.sign_in import make_link
from screening.records.users import add_user
from screening.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SYNTAX = "jpeglossless"
_ON_THE_PROCESSOR = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")
_READING_MILLISECONDS = 3000
_DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_NEXT = (
    "uid => document.querySelector('#case')?.dataset.uid !== uid "
    "&& document.querySelector('.view[data-shown]')"
)


def measure(options: argparse.Namespace) -> Report:
    """Open cases in a browser."""
    repeats = 3 if options.quick else 7
    first: list[float] = []
    following: list[float] = []
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        folder = Path(name)
        source = write_images(folder, *((1250, 1000) if options.quick else (3250, 2600)))[_SYNTAX]
        if source is None:
            raise BenchmarkError("JPEG Lossless is written by DCMTK: apt-get install dcmtk")
        settings = settings_in(folder)
        link = _fill(settings, source, folder, 3 * repeats)
        decoding = [_seconds(lambda: read_display(source)) for _ in range(repeats + 1)][1:]
        size = f"{source.stat().st_size / 1e6:.1f} MB"
        with _served(settings), _page() as page:
            remark(f"{3 * repeats} cases of one image of {size} each")
            page.goto(link)
            for number in range(repeats):
                # The third of each three is fetched ahead, and never opened.
                first.append(_open(page, 3 * number))
                page.wait_for_timeout(_READING_MILLISECONDS)
                following.append(_go_on(page))
    return Report(
        name="first_image",
        reading="how many times as long as decoding the file once:",
        rows=[
            Row({"what": "decoding alone"}, "s", decoding),
            Row({"what": "a case's first image, from the list"}, "s", first),
            Row({"what": "the next case's image, fetched ahead"}, "s", following),
        ],
        ratios={
            "first_vs_decoding": paired(first, decoding),
            "next_vs_decoding": paired(following, decoding),
        },
        conditions={"file": size},
    )


def _fill(settings: Settings, source: Path, folder: Path, cases: int) -> str:
    """File cases that wait to be screened, and return the link that signs somebody in."""
    migrate_records(settings)
    records = Records(settings.records_url)
    archive = FolderArchive(settings.archive_dir)
    for _ in range(cases):
        take_in_study(records, archive, copies(source, folder, 1))
    now = dt.datetime.now(dt.UTC)
    with records.begin() as session:
        user = add_user(session, "benchmark", Role.VIEWER, None, now)
        secret = make_link(session, user, now, dt.timedelta(minutes=5))
    records.close()
    return f"http://127.0.0.1:{settings.worklist_port}/sign-in/{secret}"


@contextmanager
def _served(settings: Settings) -> Iterator[None]:
    command = [sys.executable, "-P", "-m", "nightread", "serve"]
    with running(command, settings.data_dir / "serve.log"):
        wait_until(lambda: listens(settings.worklist_port), "the worklist is served")
        # What decodes has started by then.
        time.sleep(5)
        yield


@contextmanager
def _page() -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise BenchmarkError("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ON_THE_PROCESSOR)
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def _open(page: Page, number: int) -> float:
    """Open a case from the list, none of whose images was fetched before."""
    page.goto(page.url.partition("/cases/")[0].rstrip("/") + "/?verdict=waiting")
    case = page.locator("tr.case a").nth(number)
    case.wait_for()
    return _seconds(
        lambda: (case.click(), page.wait_for_selector(".view[data-shown]"), _draw(page))
    )


def _go_on(page: Page) -> float:
    """Go on to the next case."""
    before = page.locator("#case").get_attribute("data-uid")
    return _seconds(
        lambda: (
            page.keyboard.press("j"),
            page.wait_for_function(_NEXT, arg=before),
            _draw(page),
        )
    )


def _draw(page: Page) -> None:
    page.evaluate(_DRAWN)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Run the benchmark."""
    launch(command_line("first_image", __doc__), measure)


if __name__ == "__main__":
    main()
