"""Probabilities as log odds, which do not flatten out near 0 and 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGE = 1e-6  # a probability is kept this far from 0 and 1, so that its log odds are finite


def log_odds(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return ln(p / (1 - p)) of probabilities of any shape, in [-13.8, 13.8]."""
    kept = np.clip(np.asarray(probabilities, dtype=np.float64), _EDGE, 1 - _EDGE)
    found: NDArray[np.float64] = np.log(kept) - np.log1p(-kept)
    return found
