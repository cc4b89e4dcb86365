"""Several classifiers as one: the average of their calibrated logits, or a stacked weighing.

The average is that of Lakshminarayanan et al., *Simple and scalable predictive uncertainty
estimation using deep ensembles* (NeurIPS 2017), taken over logits; stacking is Wolpert's, *Stacked
generalization* (Neural Networks 1992), with a logistic regression fitted on the validation split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.log_odds import log_odds
from screening.errors import TrainingError

AVERAGE, STACKED = "average", "stacked"
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mixture:
    """A weighing of the members' calibrated logits.

    Attributes
    ----------
    kind
        ``average`` or ``stacked``.
    weights
        One for each member.
    bias
        Added to the weighted sum.
    """

    kind: str
    weights: tuple[float, ...]
    bias: float = 0.0

    def probabilities(self, members: _Floats) -> _Floats:
        """Return the mixture's probabilities (N,) from the members' (N, M), both in [0, 1]."""
        mixed = log_odds(members) @ np.array(self.weights) + self.bias
        # In the middle of its two forms, the logistic function overflows in neither.
        found: _Floats = 0.5 * (1.0 + np.tanh(0.5 * mixed))
        return found


def average(members: int) -> Mixture:
    """Return the mixture in which every member counts alike."""
    return Mixture(AVERAGE, (1.0 / members,) * members)


def fit_stack(probabilities: _Floats, labels: NDArray[np.int_]) -> Mixture:
    """Fit a logistic regression on the members' logits.

    Parameters
    ----------
    probabilities
        Of the members on the validation split, float (N, M) in [0, 1].
    labels
        Integer (N,), 1 for a fracture, both present.

    Raises
    ------
    TrainingError
        If a class is missing.
    """
    if len(np.unique(labels)) < 2:
        raise TrainingError(
            "a stacked ensemble is fitted on validation images of both classes: add the other"
        )
    logits = log_odds(probabilities)
    spread = logits.std(0) + 1e-6
    fitted = LogisticRegression(C=1.0).fit(logits / spread, labels)
    weights = tuple(float(weight) for weight in fitted.coef_[0] / spread)
    return Mixture(STACKED, weights, float(fitted.intercept_[0]))
