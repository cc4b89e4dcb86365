"""The report of a measurement: a folder of pages, pictures and tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from models.audit.contact_sheet import Case, contact_sheet
from models.audit.markdown import markdown
from models.audit.page import page
from models.dataset import LabelledRadiograph
from models.evaluation.account import account, title
from models.evaluation.assessment import Assessment
from models.evaluation.charts import charts
from models.report_folder import write_folder
from screening.domain.prediction import Prediction

_EACH = 6
_Pair = tuple[LabelledRadiograph, Prediction]


def write_report(assessment: Assessment, folder: Path) -> None:
    """Write Markdown, HTML, JSON, the charts as PNG and SVG, and each prediction as CSV.

    Parameters
    ----------
    assessment
        Of a bundle on a set.
    folder
        That does not exist yet; its parents are made.

    Raises
    ------
    TrainingError
        If it is there, or cannot be written.
    """
    pictures = charts(assessment)
    mistakes = _mistakes(assessment)
    if mistakes:
        pictures["mistakes.png"] = contact_sheet(mistakes)
    sections, name = account(assessment, pictures), title(assessment)
    files = {
        "report.md": markdown(name, sections).encode(),
        "report.html": page(name, sections, pictures).encode(),
        "figures.json": (json.dumps(assessment.as_dict(), indent=2) + "\n").encode(),
        "predictions.csv": _predictions(assessment),
        **pictures,
    }
    write_folder(folder, files)


def _mistakes(assessment: Assessment) -> list[Case]:
    """Return the fractures called clear and the others called suspected, the worst of each."""
    pairs = list(zip(assessment.scored.rows, assessment.scored.predictions, strict=True))
    points = assessment.points
    missed = [p for p in pairs if p[0].fractured and p[1].probability < points.high_sensitivity]
    alarms = [
        p for p in pairs if not p[0].fractured and p[1].probability >= points.high_specificity
    ]
    missed.sort(key=lambda pair: pair[1].probability)
    alarms.sort(key=lambda pair: -pair[1].probability)
    return [*_cases(missed[:_EACH], "fractured"), *_cases(alarms[:_EACH], "not fractured")]


def _cases(pairs: Iterable[_Pair], label: str) -> list[Case]:
    return [
        Case((row.path,), ((row.path.name, label),), f"probability {item.probability:.3f}")
        for row, item in pairs
    ]


def _predictions(assessment: Assessment) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("path", "label", "probability", "verdict", "x", "y", "strangeness", "group"))
    for row, item in zip(assessment.scored.rows, assessment.scored.predictions, strict=True):
        writer.writerow(_line(assessment, row, item))
    return buffer.getvalue().encode()


def _line(
    assessment: Assessment, row: LabelledRadiograph, item: Prediction
) -> tuple[str | float | None, ...]:
    return (
        row.name,
        "fractured" if row.fractured else "not_fractured",
        item.probability,
        assessment.points.verdict(item.probability).value,
        item.hottest_x,
        item.hottest_y,
        item.familiarity.strangeness if item.familiarity is not None else None,
        row.group,
    )
