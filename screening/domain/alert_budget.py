"""What a threshold costs: flags among all studies, and precision and sensitivity among reviewed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from screening.domain.agreement import ReviewedCase, Share

STEPS = 1000
"""Of the score, between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A threshold on a study's score, and what comes of it.

    Attributes
    ----------
    allowed
        Flags per hundred studies, at most.
    threshold
        From which on a study is flagged, in [0, 1].
    flags_per_hundred
        Of all scored studies.
    precision, sensitivity
        Fractures among the reviewed studies that it flags, and of the reviewed fractures those
        that it flags.
    """

    allowed: float
    threshold: float
    flags_per_hundred: float
    precision: Share
    sensitivity: Share


def budgets(
    scores: Mapping[int, int], reviewed: Sequence[ReviewedCase], most: Iterable[float]
) -> list[Budget]:
    """Return the lowest threshold for each number of flags per hundred studies.

    Parameters
    ----------
    scores
        How many studies have which score, in whole thousandths.
    reviewed
        Studies whose truth is known or not; those with a score and a truth count.
    most
        Flags per hundred studies that are allowed, each of which gives one budget.
    """
    if not scores:
        return []
    return [_budget(scores, reviewed, allowed) for allowed in most]


def _threshold(scores: Mapping[int, int], total: int, most: float) -> int:
    flagged = 0
    for step in range(STEPS, -1, -1):
        flagged += scores.get(step, 0)
        if 100 * flagged > most * total:
            return step + 1
    return 0


def _budget(scores: Mapping[int, int], reviewed: Sequence[ReviewedCase], allowed: float) -> Budget:
    total = sum(scores.values())
    step = _threshold(scores, total, allowed)
    flags = sum(count for score, count in scores.items() if score >= step)
    known = [case for case in reviewed if case.fractured is not None and case.score is not None]
    above = [case for case in known if (case.score or 0.0) >= step / STEPS]
    hits = sum(case.fractured is True for case in above)
    return Budget(
        allowed=allowed,
        threshold=step / STEPS,
        flags_per_hundred=100 * flags / total,
        precision=Share(hits, len(above)),
        sensitivity=Share(hits, sum(case.fractured is True for case in known)),
    )
