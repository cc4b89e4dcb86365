"""``nightread report``: the night, in the morning."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.settings import Settings
    from worklist.night_report import NightReport

_MOST_THUMBNAILS = 60


def report(
    night: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day on which it began [the last one]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write HTML, CSV and JSON into this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Say whether a night is complete, and what needs a person.

    A night lasts from noon to noon, by this machine's clock. The exit code is 1 if it is not
    complete.
    """
    from nightread.administration import now
    from nightread.database import opened
    from nightread.terminal import remark, write, write_json
    from screening.settings_source import load_settings
    from worklist.night_report import night_of, read_night
    from worklist.report_page import report_object, report_text

    settings = load_settings()
    with opened(settings) as records:
        found = read_night(records, night.date() if night else night_of(now()), now())
        if out is not None:
            for path in _write(found, out, records, settings):
                remark(f"wrote {path}")
    if as_json:
        write_json(report_object(found))
    else:
        write(report_text(found))
    if not found.is_complete:
        raise typer.Exit(1)


def _write(found: NightReport, out: Path, records: Records, settings: Settings) -> list[Path]:
    import json

    from nightread.worklist_address import worklist_address
    from worklist.report_page import report_csv, report_object, report_page

    out.mkdir(parents=True, exist_ok=True)
    own = worklist_address(settings) if settings.worklist_port else ""
    address = settings.worklist_url or own
    contents = {
        "html": report_page(found, _thumbnails(found, records, settings), address.rstrip("/")),
        "csv": report_csv(found),
        "json": json.dumps(report_object(found), indent=2) + "\n",
    }
    paths = []
    for suffix, content in contents.items():
        path = out / f"night-{found.night}.{suffix}"
        path.write_text(content, "utf-8", newline="")
        paths.append(path)
    return paths


def _thumbnails(found: NightReport, records: Records, settings: Settings) -> dict[str, bytes]:
    """Draw the image of each case that has its highest score; one that cannot be is left out."""
    from nightread.terminal import progress, remarks
    from screening.archive.archive import Archive
    from screening.dicom.decoders import Decoders
    from screening.errors import PixelError
    from screening.records.located import hottest_image
    from worklist.frame import picture_bytes
    from worklist.thumbnail import SIDE, thumbnail

    archive = Archive(settings.archive_dir)
    decoders = Decoders(settings.read_seconds, int(settings.read_gigabytes * 1e9))
    drawn: dict[str, bytes] = {}
    with progress(remarks()) as bar:
        for case in bar.track(found.cases[:_MOST_THUMBNAILS], description="drawing"):
            with records.read() as session:
                image = hottest_image(session, case.study_instance_uid)
            if image is None:
                continue
            try:
                picture = decoders.run(picture_bytes, archive.path(image.digest), 2 * SIDE)
            except PixelError:
                continue
            drawn[case.study_instance_uid] = thumbnail(picture, image.heat)
    decoders.close()
    return drawn
