"""The morning report as one page of HTML that needs nothing else, and as text, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from screening.domain.reason import Reason
from worklist.night_report import NightReport
from worklist.objects import batch_object, case_object, ledger_object, plain_object
from worklist.plain_text import no_formula, plain
from worklist.shown import figure, filters
from worklist.signs import moment_sign

_STYLE = Path(__file__).parent / "static" / "desk.css"
_COLUMNS = (
    *("study_instance_uid", "accession_number", "patient_id", "state", "verdict", "score"),
    *("images_received", "images_scored", "images_not_scored", "missing", "explanation"),
    "missing_uids",
)


def report_page(report: NightReport, thumbnails: Mapping[str, bytes], address: str) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    thumbnails
        JPEG of some of its cases, by Study Instance UID.
    address
        Of the worklist, to which its cases link; empty where nobody said.
    """
    environment = Environment(
        loader=PackageLoader("worklist"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters() | {"moment": moment_sign}
    return environment.get_template("night_report.html").render(
        report=report,
        thumbnails={
            uid: f"data:image/jpeg;base64,{b64encode(picture).decode()}"
            for uid, picture in thumbnails.items()
        },
        address=address or None,
        style=_STYLE.read_text(),
    )


def report_text(report: NightReport) -> str:
    """Return the report in a few lines, without patients."""
    images = report.images
    lines = [
        f"Night of {report.night}: {'complete' if report.is_complete else 'NOT complete'}",
        *(f"  {plain(each)}" for each in report.open_ends),
        *(f"alarm    {plain(each)}" for each in report.alarms),
        f"studies  {images.studies}, {len(report.cases)} flagged",
        f"images   {images.received} received: {images.scored} scored, {images.not_scored} not, "
        f"{images.waiting} waiting",
        *(
            f"         {count} {Reason(reason).sentence}"
            for reason, count in sorted(images.reasons.items())
        ),
    ]
    for each in report.batches:
        tally = each.tally
        lines.append(
            f"batch {each.batch.row}  {tally.planned} studies planned, {tally.here} of "
            f"{tally.expected} images here, {tally.missing} missing: {each.batch.state.value}"
        )
    lines += [
        f"unusual  {plain(each.group)}, {each.figure}: {figure(each)}" for each in report.unusual
    ]
    if report.discordant:
        lines.append(f"reviews  {len(report.discordant)} of the day before disagreed")
    return "\n".join([*lines, "Not for diagnosis: a radiologist reads every image."]) + "\n"


def report_object(report: NightReport) -> dict[str, Any]:
    """Return the report as an object of JSON's own types."""
    images = plain_object(report.images) | {"waiting": report.images.waiting}
    return {
        "night": report.night.isoformat(),
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "complete": report.is_complete,
        "open_ends": list(report.open_ends),
        "alarms": list(report.alarms),
        "canaries": [plain_object(each) | {"moved": each.has_moved} for each in report.canaries],
        "deliveries_given_up": report.deliveries_given_up,
        "images": images,
        "batches": [batch_object(b.batch, b.tally, b.exceptions) for b in report.batches],
        "cases": [case_object(case) for case in report.cases],
        "images_by_hour": [[hour.isoformat(), count] for hour, count in report.by_hour],
        "controls": [
            plain_object(each) | {"unusual": each.control.is_unusual} for each in report.controls
        ],
        "discordant": [plain_object(each) for each in report.discordant],
        "ledger": ledger_object(report.ledger),
    }


def report_csv(report: NightReport) -> str:
    """Return a line for each flagged case and for each study of which something is missing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for case in report.cases:
        found = {
            field.name: getattr(case, field.name)
            for field in dataclasses.fields(case)
            if field.name in _COLUMNS
        }
        writer.writerow(_safe(found | {"state": "flagged", "verdict": case.verdict.value}))
    for batch in report.batches:
        for study in batch.exceptions:
            values = {
                "study_instance_uid": study.study_instance_uid,
                "accession_number": study.accession_number,
                "state": "missing",
                "missing": (study.expected or 0) - (study.here or 0),
                "explanation": study.last_error,
                "missing_uids": " ".join(study.missing),
            }
            writer.writerow(_safe(values))
    return text.getvalue()


def _safe(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: no_formula(value) if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None
    }
