"""The pointing game: whether the hottest point lies in a radiologist's fracture box.

Zhang et al., *Top-down neural attention by excitation backprop*, International Journal of Computer
Vision 126, 2018, without their margin of 15 pixels around the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset import LabelledRadiograph
from models.evaluation.estimate import Estimate
from models.evaluation.resampling import Resampling
from screening.domain.prediction import Prediction
from screening.domain.verdict import OperatingPoints

Point = tuple[float, float] | None
"""Fractions (x, y) of the radiograph's width and height; ``None`` where nothing is hot."""


@dataclass(frozen=True, slots=True)
class PointingFigures:
    """Share of fractured, outlined radiographs whose hottest point lies in one of their boxes.

    Attributes
    ----------
    positives
        Of all of them.
    found
        Of those that the classifier does not call clear (true positives at the high-sensitivity
        point). ``None`` if there are none.
    suspected
        Of those that it suspects (true positives at the high-specificity point): what a person is
        shown as a flag. ``None`` if there are none.
    boxes_area
        Mean share of the radiograph that its boxes cover: about what pointing at random reaches.
    images, images_found, images_suspected
        Counts.
    """

    positives: Estimate
    found: Estimate | None
    suspected: Estimate | None
    boxes_area: float
    images: int
    images_found: int
    images_suspected: int


def hits(row: LabelledRadiograph, point: Point) -> bool:
    """Tell whether a point lies in one of a radiograph's boxes; no point never does."""
    return point is not None and any(box.contains(*point) for box in row.boxes)


def hottest_points(predictions: Sequence[Prediction]) -> list[Point] | None:
    """Return where each prediction points, or ``None`` if its network never points anywhere."""
    if all(item.hottest_x is None for item in predictions):
        return None
    return [_hottest_point(item) for item in predictions]


def _hottest_point(prediction: Prediction) -> Point:
    x, y = prediction.hottest_x, prediction.hottest_y
    return None if x is None or y is None else (x, y)


def play(
    rows: Sequence[LabelledRadiograph],
    points: Sequence[Point] | None,
    probabilities: NDArray[np.float64],
    thresholds: OperatingPoints,
    resampling: Resampling,
) -> PointingFigures | None:
    """Play the pointing game.

    Parameters
    ----------
    rows
        Those that are not fractured, or without boxes, do not count.
    points
        The hottest point of each: of a heatmap, or a prediction's own. ``None`` for none at all.
    probabilities
        The classifier's, float (N,).
    thresholds
        Its operating points.
    resampling
        Of the rows.

    Returns
    -------
    PointingFigures or None
        ``None`` if no row has a box, or there are no points.
    """
    outlined = np.array([bool(row.boxes and row.fractured) for row in rows])
    if points is None or not outlined.any():
        return None
    hit = np.array([hits(row, point) for row, point in zip(rows, points, strict=True)])
    found = outlined & (probabilities >= thresholds.high_sensitivity)
    suspected = outlined & (probabilities >= thresholds.high_specificity)

    def share(among: NDArray[np.bool_]) -> Estimate | None:
        return resampling.mean(hit, among) if among.any() else None

    return PointingFigures(
        positives=resampling.mean(hit, outlined),
        found=share(found),
        suspected=share(suspected),
        boxes_area=float(np.mean([_area(row) for row in rows if row.boxes and row.fractured])),
        images=int(outlined.sum()),
        images_found=int(found.sum()),
        images_suspected=int(suspected.sum()),
    )


def _area(row: LabelledRadiograph) -> float:
    """Return the share of a radiograph under its boxes, on a grid of 100 by 100 points."""
    at = (np.arange(100) + 0.5) / 100
    covered = np.zeros((100, 100), dtype=bool)
    for box in row.boxes:
        down, across = (box.top <= at) & (at <= box.bottom), (box.left <= at) & (at <= box.right)
        covered |= down[:, None] & across[None, :]
    return float(covered.mean())
