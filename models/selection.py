"""What is chosen on validation data alone: the calibration and the two operating points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from models.calibration import Calibration
from models.elsewhere import VIEWS
from models.reading import Reading
from screening.domain.verdict import OperatingPoints

WANTED_SENSITIVITY = 0.95
WANTED_SPECIFICITY = 0.95
CONFIDENCE = 0.80


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

    The high-sensitivity point is the highest threshold that finds 95 % of the fractures of other
    images like these with a confidence of 80 %, the high-specificity point the lowest that so
    clears 95 % of the rest. A threshold that finds just 95 % of a small split misses more of the
    next one every other time; these are one-sided tolerance limits (Wilks, *Determination of sample
    sizes for setting tolerance limits*, 1941), which keep a margin that shrinks as the split grows.
    Where the split is too small for that confidence, every fracture or normal of it is kept.

    A classifier good enough to reach both at once makes them cross; then both thresholds reach both
    aims, and the lower one becomes the high-sensitivity point.

    Parameters
    ----------
    probabilities
        Float (N,) in [0, 1].
    labels
        Integer (N,), 1 for a fracture.
    """
    fractured = np.sort(probabilities[labels == 1])
    normal = np.sort(probabilities[labels == 0])
    sensitive = float(fractured[_tolerated(len(fractured), WANTED_SENSITIVITY)])
    highest = normal[len(normal) - 1 - _tolerated(len(normal), WANTED_SPECIFICITY)]
    # An image is suspected from the threshold on, so it lies just above the last normal cleared.
    specific = float(min(np.nextafter(highest, 2.0), 1.0))
    return OperatingPoints(min(sensitive, specific), max(sensitive, specific))


def choose_travelling_points(
    views: Sequence[NDArray[np.float64]], labels: NDArray[np.int_], cuts: Sequence[bool]
) -> OperatingPoints:
    """Choose the two thresholds so that each keeps its promise in every view of the films.

    Parameters
    ----------
    views
        Probabilities (N,) of the same films, made otherwise in each view; see
        :mod:`models.elsewhere`.
    labels
        Integer (N,), 1 for a fracture.
    cuts
        Of each view, whether a fracture may be lost in it: its normals alone count then.
    """
    chosen = [choose_points(probabilities, labels) for probabilities in views]
    whole = [points for points, cut in zip(chosen, cuts, strict=True) if not cut]
    return OperatingPoints(
        min(points.high_sensitivity for points in whole),
        max(points.high_specificity for points in chosen),
    )


def choose_on_views(
    readings: Sequence[Sequence[Reading]], labels: Sequence[int]
) -> tuple[Calibration, OperatingPoints]:
    """Calibrate on the films as they are, and choose operating points that hold in every view.

    Parameters
    ----------
    readings
        For each of :data:`models.elsewhere.VIEWS`, one of each film.
    labels
        Of the films, both classes present.
    """
    calibration = fit_calibration(readings[0], labels)
    probabilities = [
        np.array([calibration.probability(item.image, item.top) for item in seen])
        for seen in readings
    ]
    cuts = [view.cuts for view in VIEWS]
    return calibration, choose_travelling_points(probabilities, np.array(labels), cuts)


def _tolerated(count: int, wanted: float) -> int:
    """Return how many of ``count`` may be wrong for a share of ``wanted`` right in the long run."""
    wrong = np.arange(count)
    unlikely = binom.cdf(wrong, count, 1 - wanted) <= 1 - CONFIDENCE
    return int(wrong[unlikely].max(initial=0))
