"""Canaries: phantoms that are scored anew each night, and whose scores must not move."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

MOST_MOVED = 0.25
"""In logits. Two ways to the same score, in bfloat16 or float32, one processor or another, differed
by at most 0.08 on 60 films of FracAtlas; a model that has changed moves its phantoms by more."""

_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class CanaryScore:
    """What a model says of a canary, beside what it said the first time.

    Attributes
    ----------
    name
        Of the canary.
    probability
        In [0, 1]; ``None`` where it could not be scored.
    first
        The first that these weights gave it; ``None`` where they never could.
    other_weights
        Whether a model of this name and version had others before.
    why
        It could not be scored now; ``None`` where it could.
    """

    name: str
    model: str
    model_version: str
    probability: float | None
    first: float | None
    why: str | None
    other_weights: bool
    scored_at: dt.datetime

    @property
    def has_moved(self) -> bool:
        """Whether the score is not what it was, or there is none."""
        if self.probability is None or self.first is None:
            return True
        return abs(_logit(self.probability) - _logit(self.first)) > MOST_MOVED


def _logit(probability: float) -> float:
    bounded = min(1 - _LEAST, max(_LEAST, probability))
    return math.log(bounded / (1 - bounded))
