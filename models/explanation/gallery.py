"""Explanations on disk: a picture for each radiograph, a line of JSON for each, and the figures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from models.classifier import Classifier
from models.dataset import LabelledRadiograph
from models.evaluation.scoring import score_rows
from models.explanation.faithfulness import STEPS
from models.explanation.method import Method, explain
from models.explanation.misclassified import misclassified
from models.explanation.picture import picture, png
from models.explanation.survey import Record, SurveyFigures, explain_rows, survey
from models.image_file import read_grey, unit_range
from models.json_bytes import json_bytes
from models.output_folder import new_folder
from screening.errors import NightreadError, PixelError, TrainingError

LINES, FIGURES, ERRORS = "explanations.jsonl", "figures.json", "misclassified.png"

OnImage = Callable[[int, int], None]


def _quiet(done: int, total: int) -> None:
    """Tell nobody."""


def explain_files(
    classifier: Classifier,
    paths: Sequence[Path],
    method: Method,
    out: Path,
    *,
    passes: int | None = None,
    on_image: OnImage = _quiet,
) -> list[dict[str, Any]]:
    """Explain single JPEG, PNG or DICOM files into a new folder.

    Parameters
    ----------
    classifier, method, passes
        As of :func:`models.explanation.method.explain`.
    paths
        Of the files.
    out
        Folder that does not exist yet: a picture for each file, and ``explanations.jsonl``.
    on_image
        Called as images are done, with how many and of how many.

    Returns
    -------
    list of dict
        The lines of ``explanations.jsonl``: file, picture, probability, verdict, hottest point.

    Raises
    ------
    PixelError
        If a file cannot be read; nothing is left behind.
    BundleError, TrainingError
        If the network has no such explanation, or the folder cannot be made.
    """
    lines: list[dict[str, Any]] = []
    names = _names(paths)
    with new_folder(out) as folder:
        for path, name in zip(paths, names, strict=True):
            lines.append(_explain_file(classifier, path, method, folder / name, passes))
            on_image(len(lines), len(paths))
        _write_lines(folder / LINES, lines)
    return lines


def _explain_file(
    classifier: Classifier, path: Path, method: Method, target: Path, passes: int | None
) -> dict[str, Any]:
    try:
        pixels = unit_range(read_grey(path))
    except TrainingError as error:
        raise _unreadable(path, error) from error
    prepared = classifier.prepare(pixels)
    heatmap = explain(classifier, prepared, method, passes)
    (prediction,) = classifier.score([prepared])
    target.write_bytes(png(picture(pixels, heatmap)))
    return {
        "image": str(path),
        "picture": target.name,
        "method": str(method),
        "probability": prediction.probability,
        "verdict": str(classifier.points.verdict(prediction.probability)),
        "hottest": heatmap.hottest(),
    }


def _unreadable(path: Path, error: TrainingError) -> PixelError:
    cause = error.__cause__
    why = str(cause) if isinstance(cause, NightreadError) else type(cause).__name__
    return PixelError(
        f"{path} cannot be read as an image ({why}): give JPEG, PNG or DICOM files; nothing was "
        "written"
    )


def explain_set(
    classifier: Classifier,
    rows: Sequence[LabelledRadiograph],
    method: Method,
    out: Path,
    *,
    passes: int | None = None,
    steps: int = STEPS,
    on_image: OnImage = _quiet,
    errors_of: Sequence[LabelledRadiograph] = (),
    errors_each: int = 12,
    on_score: OnImage = _quiet,
) -> SurveyFigures:
    """Explain fractured radiographs of a labelled set into a new folder, and measure.

    Parameters
    ----------
    classifier, rows, method, passes, steps, on_image
        As of :func:`models.explanation.survey.explain_rows`.
    out
        Folder that does not exist yet: a picture for each radiograph, ``explanations.jsonl``,
        ``figures.json``, and ``misclassified.png`` if errors are asked for.
    errors_of
        Radiographs to look for errors among; all are scored.
    errors_each
        At most so many false positives, and as many false negatives, are drawn.
    on_score
        Called as those are scored.

    Raises
    ------
    BundleError, TrainingError
        If the network has no such explanation, a file cannot be read, or the folder cannot be
        made; nothing is left behind.
    """
    records: list[Record] = []
    names = _names([row.path for row in rows])
    with new_folder(out) as folder:
        found = explain_rows(
            classifier, rows, method, passes=passes, steps=steps, on_image=on_image
        )
        for item, name in zip(found, names, strict=True):
            drawn = picture(item.pixels, item.heatmap, item.row.boxes)
            (folder / name).write_bytes(png(drawn))
            records.append(item.record())
        if errors_of:
            scored = score_rows(classifier, errors_of, on_score)
            # By Grad-CAM whatever the method: every network has it, and it is quick.
            sheet = misclassified(classifier, scored.rows, scored.predictions, each=errors_each)
            (folder / ERRORS).write_bytes(png(sheet))
        lines = [
            record.as_dict() | {"picture": name}
            for record, name in zip(records, names, strict=True)
        ]
        _write_lines(folder / LINES, lines)
        figures = survey(classifier, records)
        (folder / FIGURES).write_bytes(json_bytes(plain_figures(figures)))
    return figures


def plain_figures(figures: SurveyFigures) -> dict[str, Any]:
    """Return the figures as plain values."""
    return dataclasses.asdict(figures)


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _names(paths: Sequence[Path]) -> list[str]:
    """Name a picture after each file; the second of one name is numbered."""
    taken: set[str] = {ERRORS}
    names = []
    for path in paths:
        stem, number = path.stem or path.name, 1
        name = f"{stem}.png"
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}.png"
        taken.add(name.casefold())
        names.append(name)
    return names
