"""The classifier's worst errors side by side, each with its heatmap, for a person to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from models.audit.section import count, plain
from models.classifier import Classifier
from models.dataset import LabelledRadiograph
from models.explanation.method import Method, explain
from models.explanation.picture import picture
from models.image_file import read_grey, unit_range
from screening.domain.prediction import Prediction

_SIDE, _GAP, _LINE, _ACROSS = 280, 10, 18, 4
_BACKGROUND, _TILE, _INK, _DIM = (20, 24, 27), (32, 39, 43), (198, 206, 210), (139, 152, 158)


@dataclass(frozen=True, slots=True)
class Error:
    """A radiograph on which the classifier and the label disagree.

    Attributes
    ----------
    row
        With its label and boxes.
    probability
        That the classifier gave it.
    """

    row: LabelledRadiograph
    probability: float


def worst(
    classifier: Classifier,
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    each: int,
) -> tuple[list[Error], list[Error]]:
    """Return false positives and false negatives, the most confident first.

    A false positive is suspected and not fractured, a false negative clear and fractured; the
    doubtful are neither.

    Parameters
    ----------
    classifier
        Its operating points say what is suspected and what clear.
    rows, predictions
        Of one set, in one order.
    each
        At most so many of each kind.
    """
    scored = [Error(row, found.probability) for row, found in zip(rows, predictions, strict=True)]
    scored.sort(key=lambda error: error.probability)
    points = classifier.points
    missed = [e for e in scored if e.row.fractured and e.probability < points.high_sensitivity]
    alarms = [e for e in scored if not e.row.fractured and e.probability >= points.high_specificity]
    return alarms[::-1][:each], missed[:each]


def misclassified(
    classifier: Classifier,
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    *,
    each: int = 12,
    method: Method = Method.GRADCAM,
    passes: int | None = None,
) -> Image.Image:
    """Draw the worst false positives and false negatives with heatmaps, scores and boxes.

    Parameters
    ----------
    classifier, rows, predictions
        As of :func:`worst`.
    each
        At most so many of each kind.
    method, passes
        Of the heatmaps, as of :func:`models.explanation.method.explain`.

    Returns
    -------
    PIL.Image.Image
        RGB. A kind without errors has its heading alone.

    Raises
    ------
    TrainingError
        If a file cannot be read.
    BundleError
        If the network has no such explanation.
    """
    alarms, missed = worst(classifier, rows, predictions, each)
    parts = (
        (f"False alarms: {_counted(alarms)} with the highest scores", alarms),
        (f"Missed fractures: {_counted(missed)} with the lowest scores", missed),
    )
    width = _ACROSS * (_SIDE + _GAP) + _GAP
    sheet = Image.new("RGB", (width, sum(_height(errors) for _, errors in parts)), _BACKGROUND)
    top = 0
    for heading, errors in parts:
        pen = ImageDraw.Draw(sheet)
        pen.text((_GAP, top + _GAP), heading, font=ImageFont.load_default(16), fill=_INK)
        for place, error in enumerate(errors):
            down, across = divmod(place, _ACROSS)
            x = _GAP + across * (_SIDE + _GAP)
            y = top + 2 * _GAP + 2 * _LINE + down * _row()
            _draw(sheet, _overlay(classifier, error, method, passes), error, x, y)
        top += _height(errors)
    return sheet


def _counted(errors: Sequence[Error]) -> str:
    return count(len(errors), "film") if errors else "none"


def _row() -> int:
    return _SIDE + 2 * _LINE + _GAP


def _height(errors: Sequence[Error]) -> int:
    return 2 * _GAP + 2 * _LINE + -(-len(errors) // _ACROSS) * _row()


def _overlay(
    classifier: Classifier, error: Error, method: Method, passes: int | None
) -> Image.Image:
    pixels = unit_range(read_grey(error.row.path))
    heatmap = explain(classifier, classifier.prepare(pixels), method, passes)
    return picture(pixels, heatmap, error.row.boxes, longest=_SIDE)


def _draw(sheet: Image.Image, tile: Image.Image, error: Error, x: int, y: int) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), fill=_TILE)
    sheet.paste(tile, (x + (_SIDE - tile.width) // 2, y + (_SIDE - tile.height) // 2))
    label = "fractured" if error.row.fractured else "not fractured"
    font = ImageFont.load_default(13)
    name = plain(error.row.path.name)
    while pen.textlength(name, font) > _SIDE:
        name = name[1:]  # the end of a name is what tells files apart
    pen.text((x, y + _SIDE + 3), name, font=font, fill=_INK)
    said = f"score {error.probability:.3f}, label: {label}"
    pen.text((x, y + _SIDE + 3 + _LINE), said, font=font, fill=_DIM)
