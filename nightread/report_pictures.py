"""Pictures for the morning report, and the address that its cases link to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.settings import Settings
    from worklist.night_report import NightReport

_MOST_THUMBNAILS = 60


def drawn_page(found: NightReport, records: Records, settings: Settings) -> str:
    """Return the report as HTML, with a picture of each of its first 60 cases."""
    from nightread.worklist_address import worklist_address
    from worklist.report_page import report_page

    own = worklist_address(settings) if settings.worklist_port else ""
    address = settings.worklist_url or own
    return report_page(found, _thumbnails(found, records, settings), address.rstrip("/"))


def _thumbnails(found: NightReport, records: Records, settings: Settings) -> dict[str, bytes]:
    """Draw the image of each case that has its highest score; one that cannot be is left out."""
    from nightread.terminal import progress, remarks
    from screening.archive.opening import open_archive
    from screening.dicom.decoders import Decoders
    from screening.errors import ArchiveError, PixelError
    from screening.records.located import hottest_image
    from worklist.frame import picture_bytes
    from worklist.thumbnail import SIDE, thumbnail

    archive = open_archive(settings)
    decoders = Decoders(settings.read_seconds, int(settings.read_gigabytes * 1e9))
    drawn: dict[str, bytes] = {}
    with progress(remarks()) as bar:
        for case in bar.track(found.cases[:_MOST_THUMBNAILS], description="drawing"):
            with records.read() as session:
                image = hottest_image(session, case.study_instance_uid)
            if image is None or image.removal is not None:
                continue
            try:
                picture = decoders.run(picture_bytes, archive.open_path(image.digest), 2 * SIDE)
            except (ArchiveError, PixelError):
                continue
            drawn[case.study_instance_uid] = thumbnail(picture, image.heat)
    decoders.close()
    return drawn
