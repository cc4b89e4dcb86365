"""The morning report as one page of HTML that needs nothing else, and as text, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from screening.domain.night_batch import FetchState
from screening.domain.reason import Reason
from worklist.night_report import NightReport, Unusual
from worklist.objects import batch_object, case_object, ledger_object, plain_object
from worklist.plain_text import no_formula, person, plain
from worklist.signs import age_sign, moment_sign, score_sign

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
    environment.filters |= {
        "plain": lambda text: plain(text or ""),
        "person": lambda name: person(name or "") or "without a name",
        "score": score_sign,
        "age": age_sign,
        "moment": moment_sign,
        "reason": lambda reason: Reason(reason).sentence,
        "base64": lambda content: b64encode(content).decode(),
        "figure": figure,
    }
    return environment.get_template("night_report.html").render(
        report=report, thumbnails=thumbnails, address=address, FetchState=FetchState
    )


def figure(unusual: Unusual) -> str:
    """Return a figure beside its limits, in words."""
    control = unusual.control
    if control.value is None:
        return "nothing to say"
    shown = _amount(unusual, control.value)
    if control.low is None or control.high is None:
        return f"{shown} of {control.of} studies; too few before to compare with"
    low, high = _amount(unusual, control.low), _amount(unusual, control.high)
    return f"{shown} of {control.of} studies; {low} to {high} expected"


def _amount(unusual: Unusual, value: float) -> str:
    return f"{value:.3f}" if unusual.figure == "mean score" else f"{100 * value:.1f} %"


def report_text(report: NightReport) -> str:
    """Return the report in a few lines, without patients."""
    images = report.images
    lines = [
        f"Night of {report.night}: {'complete' if report.is_complete else 'NOT complete'}",
        *(f"  {plain(each)}" for each in report.open_ends),
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
