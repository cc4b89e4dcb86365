"""What a classifier says of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How far an image lies from those that a classifier was trained on.

    Attributes
    ----------
    distance
        At least 0; the farther, the less the image is like them.
    limit
        Beyond it an image is unlike them. Chosen on validation data: nearly all of it is nearer.
    """

    distance: float
    limit: float

    @property
    def unlike(self) -> bool:
        """Whether the image is so unlike that a score of it would be a guess."""
        # Not "distance > limit": a distance that is no number is not near.
        return not self.distance <= self.limit

    def __str__(self) -> str:
        return f"distance {self.distance:.2f}, the limit is {self.limit:.2f}"


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
    familiarity
        ``None`` where the classifier cannot tell, as one whose bundle says nothing of it.
    """

    probability: float
    hottest_x: float | None = None
    hottest_y: float | None = None
    familiarity: Familiarity | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.probability) and 0.0 <= self.probability <= 1.0):
            raise ValueError(f"a probability must lie in [0, 1], not {self.probability}")

    @property
    def unlike(self) -> bool:
        """Whether the image is unlike those that the classifier was trained on."""
        return self.familiarity is not None and self.familiarity.unlike


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which classifier gave a score: its name, version and the SHA-256 of its weights."""

    name: str
    version: str
    digest: str
