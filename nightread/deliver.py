"""``nightread deliver``: brings results to the PACS, one process."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nightread.tether import Parent
from screening.tether import tie_to

if TYPE_CHECKING:
    from pacs.courier import Courier
    from pacs.destinations import Destinations
    from screening.archive.archive import Archive
    from screening.dicom.decoders import Decoders
    from screening.records.engine import Records
    from screening.settings import Settings


def deliver(parent: Parent = 0) -> None:
    """Send results to the PACS until stopped (SR, SC, GSPS, KOS)."""
    tie_to(parent)
    import structlog

    from pacs.destinations import read_destinations
    from pacs.outgoing import remove_left
    from pacs.watched_file import WatchedFile
    from screening import logs
    from screening.archive.opening import open_archive
    from screening.dicom.decoders import Decoders
    from screening.records.engine import Records
    from screening.settings_source import load_settings
    from screening.watching.port import watched

    settings = load_settings()
    logs.configure(settings)
    file = _file(settings)
    records = Records(settings.records_url)
    records.check_schema()
    archive = open_archive(settings)
    decoders = Decoders(settings.read_seconds, int(settings.read_gigabytes * 1e9))
    log = structlog.get_logger(__name__)
    ended = threading.Event()
    at_work: list[Courier] = []

    def stop() -> None:
        for courier in at_work:
            courier.stop()

    def end(*_: object) -> None:
        ended.set()
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    watch = WatchedFile(file, lambda: read_destinations(file, settings.ae_title), stop)
    watch.start()
    remove_left(settings.outgoing_dir)
    with watched(settings, settings.courier_watch_port, records, {"records": records.check_schema}):
        while not ended.is_set():
            found = watch.found
            courier = _courier(settings, records, archive, decoders, found)
            at_work[:] = [courier]
            if ended.is_set() or watch.found is not found:
                continue  # it ended, or the file changed, before anybody could be told
            log.info("courier_ready", destinations=found.names)
            courier.run()
    decoders.close()
    records.close()
    log.info("courier_stopped")


def _file(settings: Settings) -> Path:
    from screening.errors import SettingsError

    if settings.destinations_file is None:
        raise SettingsError(
            "NIGHTREAD_DESTINATIONS_FILE names no file: there is nobody to deliver to"
        )
    return settings.destinations_file


def _courier(
    settings: Settings,
    records: Records,
    archive: Archive,
    decoders: Decoders,
    found: Destinations,
) -> Courier:
    import datetime as dt

    from pacs.courier import Courier
    from pacs.hl7 import Hl7
    from pacs.mail import Mail
    from pacs.storage import Storage
    from pacs.webhook import Webhook

    places = [each.name for each in found.destination]
    storages = [
        Storage(
            records,
            archive,
            each,
            settings.ae_title,
            decoders=decoders,
            outgoing=settings.outgoing_dir,
        )
        for each in found.destination
    ]
    return Courier(
        records,
        [
            *storages,
            *(Webhook(records, each, settings.worklist_url, places) for each in found.webhook),
            *(Mail(records, each, settings.worklist_url, places) for each in found.mail),
            *(Hl7(records, each) for each in found.hl7),
        ],
        quiet=dt.timedelta(seconds=settings.delivery_quiet_seconds),
    )
