"""What a classifier says of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How strange an image is to a classifier that was trained on others.

    Attributes
    ----------
    strangeness
        Log odds that it is none of their kind, with equal odds to begin with.
    limit
        Above it an image is unlike them. Nearly all of the validation data lies below.
    """

    strangeness: float
    limit: float

    @property
    def unlike(self) -> bool:
        """Whether the image is so unlike that a score of it would be a guess."""
        # Not "strangeness > limit": what is no number is not familiar.
        return not self.strangeness <= self.limit

    def __str__(self) -> str:
        return f"strangeness {self.strangeness:.2f}, the limit is {self.limit:.2f}"


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
