"""Areas, gains and shares of one labelled split, each with its interval over whole sources.

The draws are those of :mod:`models.evaluation.resampling`, so that the same scores have the same
interval in every report.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation.estimate import Estimate
from models.evaluation.ranking import Ranking
from models.evaluation.resampling import Floats, Resampling, estimate, ratio


class GroupBootstrap:
    """Draws of whole groups of one labelled split, shared by all figures measured on it.

    Parameters
    ----------
    labels
        Integer (N,), 1 for a fracture; both classes present.
    groups
        The source of each image, N of them.
    """

    def __init__(self, labels: NDArray[np.int_], groups: Sequence[str]) -> None:
        self.labels = labels
        self._resampling = Resampling(labels, groups)

    def area(self, scores: Floats) -> Estimate:
        """Return the area under the ROC curve of scores (N,), ties counted half."""
        return estimate(self._areas(scores))

    def area_gain(self, before: Floats, after: Floats) -> Estimate:
        """Return the area of ``after`` less that of ``before``, draw by draw; in [-1, 1]."""
        return estimate(self._areas(after) - self._areas(before))

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Estimate:
        """Return the share of images that are hit, of all or of some of them.

        Parameters
        ----------
        hits
            Boolean (N,).
        among
            Boolean (N,): which images count, at least one.
        """
        return self._resampling.mean(hits, among)

    def _areas(self, scores: Floats) -> Floats:
        ranking = Ranking(self.labels, scores)

        def areas(weights: Floats) -> Floats:
            found, alarms = ranking.counts(weights)
            # The mean of what was found before and after a step along the alarms: ties count half.
            middle = found - np.diff(found, axis=1, prepend=0) / 2
            won = (np.diff(alarms, axis=1, prepend=0) * middle).sum(1)
            return ratio(won, found[:, -1] * alarms[:, -1])

        return self._resampling.over_weights(areas)
