"""The report of a measurement: a folder of pages, pictures and tables."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from models.audit.markdown import markdown
from models.audit.page import page
from models.classifier import Classifier
from models.dataset import LabelledRadiograph
from models.evaluation.account import account, title
from models.evaluation.assessment import Assessment
from models.evaluation.charts import charts
from models.explanation.misclassified import misclassified, worst
from models.json_bytes import json_bytes
from models.output_folder import write_folder
from screening.domain.prediction import Prediction

_EACH = 8


def write_report(assessment: Assessment, folder: Path, classifier: Classifier) -> None:
    """Write Markdown, HTML, JSON, the charts as PNG and SVG, and each prediction as CSV.

    Parameters
    ----------
    assessment
        Of a bundle on a set.
    folder
        That does not exist yet; its parents are made.
    classifier
        That was measured, to draw where it looked in its worst mistakes.

    Raises
    ------
    TrainingError
        If it is there, or cannot be written.
    """
    pictures = charts(assessment)
    mistakes = _mistakes(assessment, classifier)
    if mistakes is not None:
        pictures["mistakes.png"] = mistakes
    sections, name = account(assessment, pictures), title(assessment)
    files = {
        "report.md": markdown(name, sections).encode(),
        "report.html": page(name, sections, pictures).encode(),
        "figures.json": json_bytes(assessment.as_dict()),
        "predictions.csv": _predictions(assessment),
        **pictures,
    }
    write_folder(folder, files)


def _mistakes(assessment: Assessment, classifier: Classifier) -> bytes | None:
    """Draw the fractures called clear and the others called suspected, the worst of each."""
    rows, predictions = assessment.scored.rows, assessment.scored.predictions
    if not any(worst(classifier, rows, predictions, _EACH)):
        return None
    drawn = io.BytesIO()
    misclassified(classifier, rows, predictions, each=_EACH).save(drawn, "PNG")
    return drawn.getvalue()


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
