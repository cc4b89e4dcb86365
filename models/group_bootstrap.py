"""Intervals of figures by drawing whole groups anew: copies of a source are one piece of evidence.

The bootstrap of Efron (*Bootstrap methods: another look at the jackknife*, Annals of Statistics
1979), over clusters, with percentile intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation import Estimate

_Floats = NDArray[np.float64]


class GroupBootstrap:
    """Draws of whole groups of one labelled split, shared by all figures measured on it.

    Parameters
    ----------
    labels
        Integer (N,), 1 for a fracture; both classes present.
    groups
        The source of each image, N of them.
    resamples
        How many draws.
    """

    def __init__(
        self, labels: NDArray[np.int_], groups: Sequence[str], resamples: int = 1000
    ) -> None:
        self.labels = labels
        index = np.unique(np.asarray(groups), return_inverse=True)[1]
        self._weights = _draws(labels, index, resamples)

    def area(self, scores: _Floats) -> Estimate:
        """Return the area under the ROC curve of scores (N,), ties counted half."""
        values = self._areas(scores)
        return _estimate(values)

    def area_gain(self, before: _Floats, after: _Floats) -> Estimate:
        """Return the area of ``after`` less that of ``before``, draw by draw; in [-1, 1]."""
        return _estimate(self._areas(after) - self._areas(before))

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Estimate:
        """Return the share of images that are hit, of all or of some of them.

        Parameters
        ----------
        hits
            Boolean (N,).
        among
            Boolean (N,): which images count. A draw without any counts as 0.
        """
        counted = self._weights if among is None else self._weights * among
        totals = counted.sum(1)
        return _estimate((counted * hits).sum(1) / np.maximum(totals, 1e-12))

    def _areas(self, scores: _Floats) -> _Floats:
        order = np.argsort(scores, kind="stable")
        starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
        weights, fractured = self._weights[:, order], self.labels[order]
        positive = np.add.reduceat(weights * fractured, starts, axis=1)
        negative = np.add.reduceat(weights * (1 - fractured), starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        won: _Floats = (positive * below).sum(1) / (positive.sum(1) * negative.sum(1))
        return won


def _draws(labels: NDArray[np.int_], groups: NDArray[np.intp], resamples: int) -> _Floats:
    """Return how often each image counts: a first row of ones, then a row for each draw."""
    rng = np.random.default_rng(0)
    count = int(groups.max()) + 1
    rows = [np.ones(len(labels))]
    while len(rows) <= resamples:
        weights = np.bincount(rng.integers(0, count, count), minlength=count)[groups]
        if weights[labels == 0].any() and weights[labels == 1].any():
            rows.append(weights.astype(np.float64))
    return np.stack(rows)


def _estimate(values: _Floats) -> Estimate:
    low, high = np.percentile(values[1:], (2.5, 97.5))
    return Estimate(float(values[0]), float(low), float(high))
