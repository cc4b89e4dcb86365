"""What is chosen on validation data alone: the calibration and the two operating points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.calibration import Calibration
from models.reading import Reading
from screening.domain.verdict import OperatingPoints

WANTED_SENSITIVITY = 0.95
WANTED_SPECIFICITY = 0.95


def fit_calibration(readings: Sequence[Reading], labels: Sequence[int]) -> Calibration:
    """Fit the logistic regression from the network's two logits to a probability.

    Parameters
    ----------
    readings, labels
        Of the validation split, both classes present.
    """
    scores = np.array([[item.image, item.top] for item in readings])
    spread = scores.std(0) + 1e-6
    fitted = LogisticRegression(C=10.0).fit(scores / spread, np.asarray(labels))
    image, top = (float(weight) for weight in fitted.coef_[0] / spread)
    return Calibration(image, top, float(fitted.intercept_[0]))


def choose_points(probabilities: NDArray[np.float64], labels: NDArray[np.int_]) -> OperatingPoints:
    """Choose the two thresholds.

    The high-sensitivity point is the highest threshold that still finds 95 % of the fractures, the
    high-specificity point the lowest that still clears 95 % of the rest. A classifier good enough
    to reach both at once makes them cross; then both thresholds reach both aims, and the lower one
    becomes the high-sensitivity point.

    Parameters
    ----------
    probabilities
        Float (N,) in [0, 1].
    labels
        Integer (N,), 1 for a fracture.
    """
    fractured = np.sort(probabilities[labels == 1])
    normal = np.sort(probabilities[labels == 0])
    missed = int(np.floor((1 - WANTED_SENSITIVITY) * len(fractured) + 1e-9))
    sensitive = float(fractured[missed])
    kept = int(np.ceil(WANTED_SPECIFICITY * len(normal) - 1e-9))
    # An image is suspected from the threshold on, so it lies just above the last normal cleared.
    specific = float(min(np.nextafter(normal[kept - 1], 2.0), 1.0))
    return OperatingPoints(min(sensitive, specific), max(sensitive, specific))
