"""Whether a probability means what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.estimate import Estimate
from models.evaluation.resampling import Floats, Resampling, estimate

BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose probabilities lie within a tenth: a point of the reliability diagram.

    Attributes
    ----------
    low, high
        Of the bin, the upper end excluded but for 1.
    images
        In it. Bins without any are left out.
    probability
        Their mean.
    fractured
        The share of them that are: equal to ``probability`` where the probability is true.
    """

    low: float
    high: float
    images: int
    probability: float
    fractured: Estimate


@dataclass(frozen=True, slots=True)
class ReliabilityFigures:
    """How far probabilities and truth lie apart.

    Attributes
    ----------
    ece
        Expected calibration error over ten bins of equal width (Naeini, Cooper and Hauskrecht,
        *Obtaining well calibrated probabilities using Bayesian binning*, AAAI 2015). Chance makes
        it larger, never smaller, so its interval leans upward.
    brier
        Mean squared difference of probability and truth (Brier, *Verification of forecasts
        expressed in terms of probability*, Monthly Weather Review 78(1), 1950).
    mean_probability
        Beside the share of fractured images it tells which way the scale is off.
    bins
        Of the reliability diagram.
    """

    ece: Estimate
    brier: Estimate
    mean_probability: float
    bins: tuple[ReliabilityBin, ...]


def measure_reliability(
    labels: NDArray[np.int_], scores: Floats, resampling: Resampling
) -> ReliabilityFigures:
    """Measure the calibration of probabilities (N,)."""
    bins = _bin_of(scores)
    members = [bins == index for index in range(BINS)]
    images = resampling.sums(*members)
    promised = resampling.sums(*(scores * member for member in members))
    fractured = resampling.sums(*(labels * member for member in members))
    squares = resampling.sums((scores - labels) ** 2)[0]
    total = images.sum(0)
    return ReliabilityFigures(
        estimate(np.abs(promised - fractured).sum(0) / total),
        estimate(squares / total),
        float(scores.mean()),
        tuple(
            _bin(index, images[index], promised[index], fractured[index])
            for index in range(BINS)
            if images[index, 0]
        ),
    )


def _bin(index: int, images: Floats, promised: Floats, fractured: Floats) -> ReliabilityBin:
    share = np.divide(fractured, images, out=np.full_like(images, np.nan), where=images > 0)
    return ReliabilityBin(
        index / BINS,
        (index + 1) / BINS,
        int(images[0]),
        float(promised[0] / images[0]),
        estimate(share),
    )


def calibration_error(scores: Floats, labels: NDArray[np.int_]) -> float:
    """Return the expected calibration error, ten bins of equal width (Naeini et al., AAAI 2015)."""
    gaps = np.bincount(_bin_of(scores), scores - labels, minlength=BINS)
    return float(np.abs(gaps).sum()) / len(scores)


def _bin_of(scores: Floats) -> NDArray[np.intp]:
    return np.minimum((scores * BINS).astype(np.intp), BINS - 1)
