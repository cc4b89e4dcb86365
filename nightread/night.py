"""``nightread night``: fetches what belongs to batches, one process."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from nightread.tether import Parent
from screening.tether import tie_to

if TYPE_CHECKING:
    from night.keeper import Keeper
    from night.morning import Compose
    from night.runner import Runner
    from night.sources import Sources
    from screening.archive.archive import Archive
    from screening.records.engine import Records
    from screening.settings import Settings


def night(parent: Parent = 0) -> None:
    """Fetch what batches name, and run retention rules.

    Until stopped. Batches are of studies from PACS: docs/night.md; the rules: docs/keeping.md.
    """
    tie_to(parent)
    import structlog

    from night.sources import Sources
    from nightread.sources import configured_sources
    from pacs.watched_file import WatchedFile
    from screening import logs
    from screening.archive.opening import open_archive
    from screening.records.engine import Records
    from screening.settings_source import load_settings
    from screening.watching.port import watched

    settings = load_settings()
    logs.configure(settings)
    ended = threading.Event()
    at_work: list[Runner] = []

    def stop() -> None:
        for runner in at_work:
            runner.stop()

    def end(*_: object) -> None:
        ended.set()
        stop()

    watch = None
    if settings.sources_file is not None:
        watch = WatchedFile(settings.sources_file, lambda: configured_sources(settings), stop)
    records = Records(settings.records_url)
    records.check_schema()
    archive = open_archive(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if watch is not None:
        watch.start()
    keeper = _keeper(settings, records, archive)
    log = structlog.get_logger(__name__)
    checks = {"records": records.check_schema, "archive": archive.require_space}
    with watched(settings, settings.night_watch_port, records, checks):
        keeper.start()
        while not ended.is_set():
            found = watch.found if watch is not None else Sources()
            runner = _runner(settings, records, archive, found)
            at_work[:] = [runner]
            if ended.is_set() or (watch is not None and watch.found is not found):
                continue  # it ended, or the file changed, before anybody could be told
            log.info(
                "night_ready",
                sources=[each.name for each in found.source],
                schedules=[each.name for each in found.schedule],
            )
            runner.run()
        keeper.stop()
    records.close()
    log.info("night_stopped")


def _runner(settings: Settings, records: Records, archive: Archive, sources: Sources) -> Runner:
    import datetime as dt

    from night.runner import Runner
    from night.sources import Source
    from nightread.own_address import own_address
    from pacs.peer import Peer

    def door(source: Source) -> Peer:
        # As the PACS, whose images they are: so does a C-MOVE bring them.
        where = own_address(settings.dicom_host), settings.dicom_port
        return Peer(*where, settings.ae_title, source.ae_title or settings.ae_title)

    return Runner(
        records,
        archive,
        sources,
        door,
        settings.ae_title,
        settings.outgoing_dir,
        lease=dt.timedelta(seconds=settings.lease_seconds),
        compose=_compose(settings, records, sources),
    )


def _keeper(settings: Settings, records: Records, archive: Archive) -> Keeper:
    from night.keeper import Keeper
    from night.retention_rules import read_retention
    from nightread.destination_names import destination_names
    from screening.archive.free_space import free_if_low

    # What is removed from a store makes no room on this host.
    is_store = settings.archive_url.startswith("s3://")

    def is_low() -> bool:
        low = free_if_low(settings.archive_dir, settings.low_free_bytes) is not None
        return low and not is_store

    return Keeper(
        records,
        archive,
        lambda: read_retention(settings.retention_file),
        lambda: destination_names(settings),
        is_low,
    )


def _compose(settings: Settings, records: Records, sources: Sources) -> Compose:
    import datetime as dt

    from night.morning import Letter
    from nightread.night_plan import plan_of
    from nightread.report_pictures import drawn_page
    from screening.domain.night import last_night
    from worklist.night_report import read_night
    from worklist.report_page import report_text

    plan = plan_of(sources)

    def compose(moment: dt.datetime, with_page: bool) -> Letter:
        chosen = last_night(moment, plan.zone)
        found = read_night(records, chosen, dt.datetime.now(dt.UTC), plan)
        state = "complete" if found.is_complete else "NOT complete"
        page = drawn_page(found, records, settings) if with_page else ""
        return Letter(f"Nightread: the night of {found.night}, {state}", report_text(found), page)

    return compose
