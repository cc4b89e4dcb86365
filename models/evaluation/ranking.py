"""How well scores put fractured images before others, for many weightings of the images at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.estimate import Estimate
from models.evaluation.resampling import Floats, Resampling, estimate

FIXED = (0.90, 0.95)
"""Specificities at which the sensitivity is told, and the other way round."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class FixedFigure:
    """A figure where the other one has a given value, by a threshold chosen on this very set.

    It describes a ranking. A threshold that was chosen on the images it is measured on promises
    nothing for others: the operating points are what a worker goes by.

    Attributes
    ----------
    fixed
        What the other figure is held at, at least.
    figure
        The highest that can then be had; each draw of the interval chooses its own threshold.
    threshold_of_this_set
        Where it is had; ``None`` where nothing may be called fractured.
    """

    fixed: float
    figure: Estimate
    threshold_of_this_set: float | None


@dataclass(frozen=True, slots=True)
class RankingFigures:
    """What the ranking alone is worth, whatever the thresholds.

    Attributes
    ----------
    auc
        Area under the ROC curve, ties counted half.
    average_precision
        Area under the precision-recall curve as a step function.
    sensitivity_at_specificity, specificity_at_sensitivity
        For each of `FIXED`.
    """

    auc: Estimate
    average_precision: Estimate
    sensitivity_at_specificity: tuple[FixedFigure, ...]
    specificity_at_sensitivity: tuple[FixedFigure, ...]


class Ranking:
    """The order of a set's images by their scores, the highest first.

    Parameters
    ----------
    labels
        Integer (N,), 1 for a fracture.
    scores
        Float (N,).
    """

    def __init__(self, labels: NDArray[np.int_], scores: Floats) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.diff(ordered, prepend=np.inf))
        self.thresholds: Floats = ordered[self._starts]
        self._fractured = (labels[self._order] == 1).astype(np.float64)

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return how many fractures and how many others lie at or above each distinct score.

        Parameters
        ----------
        weights
            Float (d, N): how often each image counts in each of d draws.

        Returns
        -------
        tuple of ndarray of float64, each of shape (d, distinct scores)
        """
        ordered = weights[:, self._order]
        fractured = np.add.reduceat(ordered * self._fractured, self._starts, axis=1)
        others = np.add.reduceat(ordered * (1 - self._fractured), self._starts, axis=1)
        return fractured.cumsum(1), others.cumsum(1)

    def figures(self, weights: Floats) -> Floats:
        """Return (d, 6): the two areas, sensitivity at each specificity, and the other way."""
        found, alarms = self.counts(weights)
        called = np.maximum(found + alarms, _ROUNDING)
        precision = found / called
        sensitivity, alarm_rate = found / found[:, -1:], alarms / alarms[:, -1:]
        steps = np.diff(sensitivity, axis=1, prepend=0)
        # The mean of what was found before and after a step along the alarms: ties count half.
        across = np.diff(alarm_rate, axis=1, prepend=0)
        figures = [(across * (sensitivity - steps / 2)).sum(1), (steps * precision).sum(1)]
        figures += [_highest(sensitivity, 1 - alarm_rate >= s - _ROUNDING) for s in FIXED]
        figures += [_highest(1 - alarm_rate, sensitivity >= s - _ROUNDING) for s in FIXED]
        return np.stack(figures, 1)


def _highest(values: Floats, allowed: NDArray[np.bool_]) -> Floats:
    highest: Floats = np.where(allowed, values, 0).max(1)
    return highest


def rank(labels: NDArray[np.int_], scores: Floats, resampling: Resampling) -> RankingFigures:
    """Measure the ranking of a set."""
    ranking = Ranking(labels, scores)
    auc, precision, *fixed = (
        estimate(values) for values in resampling.over_weights(ranking.figures).T
    )
    found, alarms = (part[0] for part in ranking.counts(np.ones((1, len(labels)))))
    sensitivity, specificity = found / found[-1], 1 - alarms / alarms[-1]
    return RankingFigures(
        auc,
        precision,
        tuple(
            FixedFigure(at, figure, _last(ranking.thresholds, specificity >= at - _ROUNDING))
            for at, figure in zip(FIXED, fixed[: len(FIXED)], strict=True)
        ),
        tuple(
            FixedFigure(at, figure, _first(ranking.thresholds, sensitivity >= at - _ROUNDING))
            for at, figure in zip(FIXED, fixed[len(FIXED) :], strict=True)
        ),
    )


def _first(thresholds: Floats, allowed: NDArray[np.bool_]) -> float | None:
    return float(thresholds[allowed][0]) if allowed.any() else None


def _last(thresholds: Floats, allowed: NDArray[np.bool_]) -> float | None:
    return float(thresholds[allowed][-1]) if allowed.any() else None
