"""From a network's two logits to one probability."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression on the network's two scores, fitted on validation data.

    It does two things at once: it weighs the image's own logit against the map's, and it makes of
    the sum a probability that means what it says (Platt, *Probabilistic outputs for support vector
    machines*, 1999), at the share of fractures in the validation data.

    Attributes
    ----------
    image, top
        Weights of the image's logit and of the mean of the map's highest cells.
    bias
        Added to their weighted sum.
    """

    image: float
    top: float
    bias: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.image, self.top, self.bias)):
            raise ValueError("a calibration is made of finite numbers")

    def probability(self, image: float, top: float) -> float:
        """Return the probability of a fracture, in [0, 1], from the two logits."""
        logit = self.image * image + self.top * top + self.bias
        # Either form overflows on one side; each is used on the other.
        if logit >= 0:
            return 1.0 / (1.0 + math.exp(-logit))
        return math.exp(logit) / (1.0 + math.exp(logit))
