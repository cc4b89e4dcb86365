"""The figures of one classifier on one split, from its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.comparison.labelled_split import LabelledSplit
from models.evaluation.estimate import Estimate
from models.evaluation.figures import HALF
from models.group_bootstrap import GroupBootstrap
from screening.domain.verdict import OperatingPoints


@dataclass(frozen=True, slots=True)
class PairFigures:
    """What a comparison says of one classifier on one split; each with its interval.

    Attributes
    ----------
    auc
        Area under the ROC curve.
    accuracy
        Share of films on the right side of a probability of one half. It is calibrated on the
        validation split, and published accuracies are of this threshold, or of the likelier class.
    sensitive_sensitivity, sensitive_specificity
        At the high-sensitivity point, chosen on validation.
    specific_sensitivity, specific_specificity
        At the high-specificity point, chosen on validation.
    """

    auc: Estimate
    accuracy: Estimate
    sensitive_sensitivity: Estimate
    sensitive_specificity: Estimate
    specific_sensitivity: Estimate
    specific_specificity: Estimate


def bootstrap_of(data: LabelledSplit) -> GroupBootstrap:
    """Return the draws of a split, the same for every classifier."""
    return GroupBootstrap(data.labels, data.sources)


def pair_figures(
    probabilities: Sequence[float] | NDArray[np.float64],
    points: OperatingPoints,
    bootstrap: GroupBootstrap,
) -> PairFigures:
    """Measure scores.

    Parameters
    ----------
    probabilities
        (N,) in [0, 1].
    points
        The classifier's own.
    bootstrap
        Of the split.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    fractured = bootstrap.labels == 1
    low, high = scores >= points.high_sensitivity, scores >= points.high_specificity
    return PairFigures(
        auc=bootstrap.area(scores),
        accuracy=bootstrap.share((scores >= HALF) == fractured),
        sensitive_sensitivity=bootstrap.share(low, fractured),
        sensitive_specificity=bootstrap.share(~low, ~fractured),
        specific_sensitivity=bootstrap.share(high, fractured),
        specific_specificity=bootstrap.share(~high, ~fractured),
    )
