"""What a threshold does on a set: counts, and the figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.estimate import Estimate
from models.evaluation.resampling import Floats, Resampling, estimate, ratio


@dataclass(frozen=True, slots=True)
class Confusion:
    """The confusion matrix: images by what they are and what they are called."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int


@dataclass(frozen=True, slots=True)
class PointFigures:
    """At one threshold, from which on an image is called fractured.

    Attributes
    ----------
    threshold
        On the probability.
    sensitivity
        Also called recall: the share of fractures found.
    specificity
        The share of the others left in peace.
    accuracy, precision, f1
        Precision is 0 where nothing is called fractured.
    kappa
        Cohen's: the agreement with the labels beyond chance (*A coefficient of agreement for
        nominal scales*, Educational and Psychological Measurement 20(1), 1960).
    confusion
        The counts behind them.
    """

    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    accuracy: Estimate
    precision: Estimate
    f1: Estimate
    kappa: Estimate
    confusion: Confusion


def measure_point(
    threshold: float, labels: NDArray[np.int_], scores: Floats, resampling: Resampling
) -> PointFigures:
    """Measure what a threshold does."""
    called, fractured = scores >= threshold, labels == 1
    cells = (called & fractured, ~called & fractured, called & ~fractured, ~called & ~fractured)
    counts = resampling.sums(*cells)
    tp, fn, fp, tn = counts
    return PointFigures(
        threshold,
        estimate(ratio(tp, tp + fn)),
        estimate(ratio(tn, tn + fp)),
        estimate((tp + tn) / counts.sum(0)),
        estimate(ratio(tp, tp + fp)),
        estimate(ratio(2 * tp, 2 * tp + fp + fn)),
        estimate(_kappa(tp, fn, fp, tn)),
        Confusion(*(int(cell.sum()) for cell in cells)),
    )


def _kappa(tp: Floats, fn: Floats, fp: Floats, tn: Floats) -> Floats:
    total = tp + fn + fp + tn
    agreed = (tp + tn) / total
    chance = ((tp + fp) * (tp + fn) + (fn + tn) * (fp + tn)) / total**2
    return ratio(agreed - chance, 1 - chance)
