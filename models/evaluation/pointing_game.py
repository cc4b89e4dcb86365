"""Whether the hottest point lies on the fracture.

The pointing game of Zhang et al., *Top-down neural attention by excitation backprop*, International
Journal of Computer Vision 126, 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset import LabelledRadiograph
from models.evaluation.estimate import Estimate
from models.evaluation.resampling import Resampling, estimate
from screening.domain.prediction import Prediction
from screening.domain.verdict import OperatingPoints

_Mask = NDArray[np.bool_]


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
    pointing_suspected
        Of those suspected, at the high-specificity point: what a person is shown as a flag.
    """

    outlined: int
    pointing: Estimate | None
    pointing_true_positives: Estimate | None
    pointing_suspected: Estimate | None


def play(
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    points: OperatingPoints,
    resampling: Resampling,
) -> PointingFigures | None:
    """Play the pointing game; ``None`` where no fracture is outlined or nothing is pointed at."""
    outlined = np.array([bool(row.boxes and row.fractured) for row in rows])
    if not outlined.any() or all(item.hottest_x is None for item in predictions):
        return None
    hits = outlined & [_hits(row, item) for row, item in zip(rows, predictions, strict=True)]
    scores = np.array([item.probability for item in predictions])
    return PointingFigures(
        int(outlined.sum()),
        *(
            _share(hits, outlined & (scores >= threshold), resampling)
            for threshold in (0.0, points.high_sensitivity, points.high_specificity)
        ),
    )


def _share(hits: _Mask, played: _Mask, resampling: Resampling) -> Estimate | None:
    if not played.any():
        return None
    hit, tried = resampling.sums(hits & played, played)
    with np.errstate(invalid="ignore"):
        return estimate(hit / tried)


def _hits(row: LabelledRadiograph, prediction: Prediction) -> bool:
    x, y = prediction.hottest_x, prediction.hottest_y
    if x is None or y is None:
        return False
    return any(box.contains(x, y) for box in row.boxes)
