"""``nightread deliver``: brings results to the PACS, one process."""

from __future__ import annotations

import signal

from nightread.tether import Parent
from screening.tether import tie_to


def deliver(parent: Parent = 0) -> None:
    """Send results to the PACS until stopped (SR, SC, GSPS, KOS)."""
    tie_to(parent)
    import datetime as dt

    import structlog

    from pacs.courier import Courier
    from pacs.destinations import Destination, read_destinations
    from pacs.hl7 import Hl7
    from pacs.mail import Mail
    from pacs.storage import Storage
    from pacs.webhook import Webhook
    from screening import logs
    from screening.archive.archive import Archive
    from screening.dicom.decoders import Decoders
    from screening.errors import SettingsError
    from screening.records.engine import Records
    from screening.settings_source import load_settings

    settings = load_settings()
    logs.configure(settings)
    if settings.destinations_file is None:
        raise SettingsError(
            "NIGHTREAD_DESTINATIONS_FILE names no file: there is nobody to deliver to"
        )
    found = read_destinations(settings.destinations_file, settings.ae_title)
    records = Records(settings.records_url)
    records.check_schema()
    archive = Archive(settings.archive_dir)
    places = [each.name for each in found.destination]
    decoders = Decoders(settings.read_seconds, int(settings.read_gigabytes * 1e9))

    def storage(destination: Destination) -> Storage:
        return Storage(
            records,
            archive,
            destination,
            settings.ae_title,
            decoders=decoders,
            outgoing=settings.outgoing_dir,
        )

    courier = Courier(
        records,
        [
            *map(storage, found.destination),
            *(Webhook(records, each, settings.worklist_url, places) for each in found.webhook),
            *(Mail(records, each, settings.worklist_url, places) for each in found.mail),
            *(Hl7(records, each) for each in found.hl7),
        ],
        quiet=dt.timedelta(seconds=settings.delivery_quiet_seconds),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: courier.stop())
    log = structlog.get_logger(__name__)
    log.info("courier_ready", destinations=found.names)
    courier.run()
    decoders.close()
    records.close()
    log.info("courier_stopped")
