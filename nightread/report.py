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

    A night lasts from noon to noon, in the zone of the first source, else by this machine's clock.
    The exit code is 1 if it is not complete.
    """
    from nightread.administration import now
    from nightread.database import opened
    from nightread.night_plan import read_plan
    from nightread.terminal import remark, write, write_json
    from screening.domain.night import last_night
    from screening.settings_source import load_settings
    from worklist.night_report import read_night
    from worklist.report_page import report_object, report_text

    settings = load_settings()
    plan = read_plan(settings)
    with opened(settings) as records:
        chosen = night.date() if night else last_night(now(), plan.zone)
        found = read_night(records, chosen, now(), plan)
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

    from nightread.report_pictures import drawn_page
    from worklist.report_page import report_csv, report_object

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None
    contents = {
        "html": drawn_page(found, records, settings),
        "csv": report_csv(found),
        "json": json.dumps(report_object(found), indent=2) + "\n",
    }
    paths = []
    for suffix, content in contents.items():
        path = out / f"night-{found.night}.{suffix}"
        path.write_text(content, "utf-8", newline="")
        paths.append(path)
    return paths
