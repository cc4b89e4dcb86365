"""``nightread night``: fetches what belongs to batches, one process."""

from __future__ import annotations

import signal

from nightread.tether import Parent
from screening.tether import tie_to


def night(parent: Parent = 0) -> None:
    """Fetch what belongs to batches from PACS, until stopped."""
    tie_to(parent)
    import datetime as dt
    from dataclasses import replace

    import structlog

    from night.morning import Letter
    from night.runner import Runner
    from night.sources import Source
    from nightread.night_plan import read_plan
    from nightread.own_address import own_address
    from nightread.report_pictures import drawn_page
    from nightread.sources import configured_sources
    from pacs.peer import Peer
    from screening import logs
    from screening.archive.archive import Archive
    from screening.records.engine import Records
    from screening.settings_source import load_settings
    from screening.watching.port import watched
    from worklist.night_report import last_night, read_night
    from worklist.report_page import report_text

    settings = load_settings()
    logs.configure(settings)
    sources = configured_sources(settings)
    records = Records(settings.records_url)
    records.check_schema()

    def door(source: Source) -> Peer:
        # As the PACS, whose images they are: so does a C-MOVE bring them.
        where = own_address(settings.dicom_host), settings.dicom_port
        return Peer(*where, settings.ae_title, source.ae_title or settings.ae_title)

    plan = read_plan(settings)

    def compose(moment: dt.datetime, zone: dt.tzinfo, with_page: bool) -> Letter:
        chosen = last_night(moment, zone)
        found = read_night(records, chosen, dt.datetime.now(dt.UTC), replace(plan, zone=zone))
        state = "complete" if found.is_complete else "NOT complete"
        page = drawn_page(found, records, settings) if with_page else ""
        return Letter(f"Nightread: the night of {found.night}, {state}", report_text(found), page)

    archive = Archive(settings.archive_dir, minimum_free_bytes=settings.minimum_free_bytes)
    runner = Runner(
        records,
        archive,
        sources,
        door,
        settings.ae_title,
        settings.outgoing_dir,
        lease=dt.timedelta(seconds=settings.lease_seconds),
        compose=compose,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    log = structlog.get_logger(__name__)
    log.info("night_ready", sources=[each.name for each in sources.source])
    checks = {"records": records.check_schema, "archive": archive.require_space}
    with watched(settings, settings.night_watch_port, records, checks):
        runner.run()
    records.close()
    log.info("night_stopped")
