"""Intervals of figures by drawing whole groups anew: the copies of a source are one witness.

Percentile intervals of the bootstrap (Efron, *Bootstrap methods: another look at the jackknife*,
The Annals of Statistics 7(1), 1979) over clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation.estimate import Estimate

DRAWS = 2000
_CELLS = 2_000_000
"""Of a block of weights: 16 MB, so that a set of any length fits into memory."""

Floats = NDArray[np.float64]


class Resampling:
    """Draws of whole groups of one set, shared by all figures measured on it.

    The same set gives the same draws.

    Parameters
    ----------
    labels
        Integer (N,), 1 for a fracture; both classes present, and in each draw too. ``None`` where
        the images are of one class: then any draw will do.
    groups
        The source of each image, N of them, at least one.
    """

    def __init__(self, labels: NDArray[np.int_] | None, groups: Sequence[str]) -> None:
        self._group_of: NDArray[np.intp] = np.unique(np.asarray(groups), return_inverse=True)[1]
        self.groups = int(self._group_of.max()) + 1
        wanted = np.ones((len(groups), 1)) if labels is None else np.stack([labels == 0, labels], 1)
        self._times = _draw(self._per_group(wanted))

    def _per_group(self, columns: NDArray[np.generic]) -> Floats:
        """Add up the rows (N, k) of each group: (groups, k)."""
        total = np.zeros((self.groups, columns.shape[1]))
        np.add.at(total, self._group_of, columns.astype(np.float64))
        return total

    def sums(self, *columns: NDArray[np.generic]) -> Floats:
        """Return the sum of each column (N,) over the images as they are, and over each draw.

        Returns
        -------
        ndarray of float64, shape (columns, 1 + draws)
        """
        per_group = self._per_group(np.stack(columns, 1))
        drawn = self._times.astype(np.float64) @ per_group
        return np.concatenate([per_group.sum(0, keepdims=True), drawn]).T

    def mean(self, values: NDArray[np.generic], among: NDArray[np.bool_] | None = None) -> Estimate:
        """Return the mean of values of any sign, of all images or of some of them.

        Parameters
        ----------
        values
            Numbers or truths (N,).
        among
            Boolean (N,): which images count, at least one. A draw without any does not count.
        """
        counted = np.ones(len(values), dtype=np.bool_) if among is None else among
        kept = np.where(counted, values.astype(np.float64), 0.0)
        part, whole = self.sums(kept, counted)
        return estimate(ratio(part, whole, otherwise=np.nan))

    def over_weights(self, of: Callable[[Floats], Floats]) -> Floats:
        """Return a figure of the images as they are, and of each draw.

        Parameters
        ----------
        of
            From weights (d, N) to values (d, ...).

        Returns
        -------
        ndarray of float64, shape (1 + draws, ...)
        """
        return np.concatenate([of(weights) for weights in self._weights()])

    def _weights(self) -> Iterator[Floats]:
        yield np.ones((1, len(self._group_of)))
        step = max(1, _CELLS // len(self._group_of))
        for at in range(0, len(self._times), step):
            yield self._times[at : at + step][:, self._group_of].astype(np.float64)


def _draw(classes: Floats) -> NDArray[np.uint16]:
    """Return how often each group was drawn, (draws, groups); ``classes`` is (groups, classes)."""
    rng = np.random.default_rng(0)
    count = len(classes)
    kept: list[NDArray[np.uint16]] = []
    while len(kept) < DRAWS:
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        if (times @ classes > 0).all():
            kept.append(times.astype(np.uint16))
    return np.stack(kept)


def estimate(values: Floats) -> Estimate:
    """Return a figure and the interval that its draws span.

    Parameters
    ----------
    values
        Float (1 + draws,): of the images as they are, then of each draw. A draw where the figure
        has no value (nan) does not count.
    """
    low, high = np.nanpercentile(values[1:], (2.5, 97.5))
    return Estimate(float(values[0]), float(low), float(high))


def ratio(part: Floats, whole: Floats, otherwise: float = 0.0) -> Floats:
    """Divide, with a value of its own where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full_like(part, otherwise), where=whole > 0)
