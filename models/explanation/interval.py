"""A mean over images with its bootstrap interval over groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation import Estimate

_RESAMPLES = 2000


def mean_over_groups(
    values: NDArray[np.floating] | NDArray[np.bool_], groups: Sequence[str]
) -> Estimate:
    """Return the mean of values and its 95 % interval, whole groups drawn anew 2,000 times.

    Parameters
    ----------
    values
        Shape (N,), N at least 1; of any sign.
    groups
        The source of each image, N of them: copies of a source are one piece of evidence.
    """
    index = np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(index.max()) + 1
    sums, sizes = np.bincount(index, weights=values), np.bincount(index)
    drawn = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(float(np.mean(values)), float(low), float(high))
