"""The pointing game: does the hottest point lie in a radiologist's fracture box.

Zhang et al., *Top-down Neural Attention by Excitation Backprop*, IJCV 2018, without their margin
of 15 pixels around the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset import LabelledRadiograph
from models.evaluation import Estimate
from models.explanation.interval import mean_over_groups
from screening.domain.verdict import OperatingPoints

Point = tuple[float, float] | None
"""Fractions (x, y) of the radiograph, from any source; ``None`` where nothing is hot."""


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
        Of those that it suspects (true positives at the high-specificity point).
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


def pointing(
    rows: Sequence[LabelledRadiograph],
    points: Sequence[Point],
    probabilities: Sequence[float],
    thresholds: OperatingPoints,
) -> PointingFigures | None:
    """Play the pointing game.

    Parameters
    ----------
    rows
        Those without boxes do not count.
    points
        The hottest point of each: of a heatmap, or a prediction's own.
    probabilities
        The classifier's, of each.
    thresholds
        Its operating points.

    Returns
    -------
    PointingFigures or None
        ``None`` if no row has a box.
    """
    outlined = [i for i, row in enumerate(rows) if row.boxes]
    if not outlined:
        return None
    hit = np.array([hits(rows[i], points[i]) for i in outlined])
    scores = np.array([probabilities[i] for i in outlined])
    groups = np.array([source(rows[i]) for i in outlined])
    found, suspected = (
        scores >= threshold
        for threshold in (thresholds.high_sensitivity, thresholds.high_specificity)
    )

    def share(among: NDArray[np.bool_]) -> Estimate | None:
        return mean_over_groups(hit[among], list(groups[among])) if among.any() else None

    return PointingFigures(
        positives=mean_over_groups(hit, list(groups)),
        found=share(found),
        suspected=share(suspected),
        boxes_area=float(np.mean([_area(rows[i]) for i in outlined])),
        images=len(outlined),
        images_found=int(found.sum()),
        images_suspected=int(suspected.sum()),
    )


def source(row: LabelledRadiograph) -> str:
    """Return the group of a radiograph; one without a group is a group of its own."""
    return row.group or str(row.path)


def _area(row: LabelledRadiograph) -> float:
    """Return the share of a radiograph under its boxes, on a grid of 100 by 100 points."""
    at = (np.arange(100) + 0.5) / 100
    covered = np.zeros((100, 100), dtype=bool)
    for box in row.boxes:
        down, across = (box.top <= at) & (at <= box.bottom), (box.left <= at) & (at <= box.right)
        covered |= down[:, None] & across[None, :]
    return float(covered.mean())
