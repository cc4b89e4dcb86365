"""The doctor looks at where studies are fetched from, and whether each answers."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from nightread.finding import Finding, fail, ok
from screening.errors import NightreadError, SettingsError
from screening.settings import Settings

if TYPE_CHECKING:
    from night.sources import Source

_AT_ONCE = 8


def check_sources(settings: Settings) -> Iterator[Finding]:
    """Read the file of sources, ask each of them, and say when each schedule begins next."""
    from cronsim import CronSim

    from nightread.sources import configured_sources

    if settings.sources_file is None:
        return
    try:
        found = configured_sources(settings)
    except SettingsError as error:
        yield fail("sources", str(error))
        return
    yield ok("sources", f"{settings.sources_file} names {len(found.source)}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda each: _check(each, settings), found.source)
    for schedule in found.schedule:
        source = found.find(schedule.source)
        assert source is not None, "the file was checked"
        begins = next(CronSim(schedule.begins, dt.datetime.now(source.zone)))
        yield ok(f"schedule {schedule.name}", f"begins next at {begins:%Y-%m-%d %H:%M %Z}")


def _check(source: Source, settings: Settings) -> Finding:
    """Ask for the studies of a day on which there are none."""
    from pacs.question import Question

    name = f"source {source.name}"
    never = Question(first_day=dt.date(1900, 1, 1), last_day=dt.date(1900, 1, 1))
    try:
        with source.asked(settings.ae_title, threading.Event()) as query:
            list(query.studies(never))
    except NightreadError as error:
        return fail(name, str(error))
    return ok(name, "answers a query")
