"""Whether the hottest point lies on the fracture.

The pointing game of Zhang et al., *Top-down neural attention by excitation backprop*, International
Journal of Computer Vision 126, 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.dataset import LabelledRadiograph
from models.evaluation.estimate import Estimate
from models.evaluation.resampling import Resampling, estimate
from screening.domain.prediction import Prediction


@dataclass(frozen=True, slots=True)
class PointingFigures:
    """Of images with outlined fractures, the share whose hottest point lies in an outline.

    Attributes
    ----------
    outlined
        How many such images there are.
    pointing
        Of all of them.
    pointing_true_positives
        Of those found at the high-sensitivity point; ``None`` if none was.
    """

    outlined: int
    pointing: Estimate
    pointing_true_positives: Estimate | None


def play(
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    threshold: float,
    resampling: Resampling,
) -> PointingFigures | None:
    """Play the pointing game; ``None`` where no fracture is outlined or nothing is pointed at."""
    outlined = np.array([bool(row.boxes and row.fractured) for row in rows])
    if not outlined.any() or all(item.hottest_x is None for item in predictions):
        return None
    hits = outlined & [_hits(row, item) for row, item in zip(rows, predictions, strict=True)]
    found = outlined & [item.probability >= threshold for item in predictions]
    hit, played, hit_found, played_found = resampling.sums(hits, outlined, hits & found, found)
    with np.errstate(invalid="ignore"):
        return PointingFigures(
            int(outlined.sum()),
            estimate(hit / played),
            estimate(hit_found / played_found) if found.any() else None,
        )


def _hits(row: LabelledRadiograph, prediction: Prediction) -> bool:
    x, y = prediction.hottest_x, prediction.hottest_y
    if x is None or y is None:
        return False
    return any(box.contains(x, y) for box in row.boxes)
