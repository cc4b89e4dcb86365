"""What a classifier says of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """A probability and where the classifier looked.

    Attributes
    ----------
    probability
        Of a fracture, calibrated on validation data, in [0, 1].
    hottest_x, hottest_y
        The most suspicious point as a fraction of the radiograph's width and height, from its top
        left corner, in [0, 1]. ``None`` where the classifier has no location.
    """

    probability: float
    hottest_x: float | None = None
    hottest_y: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.probability) and 0.0 <= self.probability <= 1.0):
            raise ValueError(f"a probability must lie in [0, 1], not {self.probability}")


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which classifier gave a score: its name, version and the SHA-256 of its weights."""

    name: str
    version: str
    digest: str
