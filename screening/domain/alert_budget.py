"""What a threshold costs: flags among all studies, and precision and sensitivity among reviewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from screening.domain.agreement import ReviewedCase, Share

STEPS = 1000
"""Of the score, between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A threshold on a study's score, and what comes of it.

    Attributes
    ----------
    threshold
        From which on a study is flagged, in [0, 1].
    flags_per_hundred
        Of all scored studies.
    precision, sensitivity
        Fractures among the reviewed studies that it flags, and of the reviewed fractures those
        that it flags.
    """

    threshold: float
    flags_per_hundred: float
    precision: Share
    sensitivity: Share


@dataclass(frozen=True, slots=True)
class Budget:
    """What is wanted of a threshold, and the lowest one that keeps to it.

    Attributes
    ----------
    wanted
        Flags per hundred studies, at most; or the precision, at least, in [0, 1].
    cost
        ``None`` where no threshold keeps to it.
    """

    wanted: float
    cost: Cost | None


class LocalStudies:
    """The scores of the studies here, and what reviewers said of some of them.

    Parameters
    ----------
    scores
        How many studies have which score, in whole thousandths, rounded down.
    reviewed
        Studies whose truth is known or not; those with a score and a truth count.
    """

    def __init__(self, scores: Mapping[int, int], reviewed: Iterable[ReviewedCase]) -> None:
        self._scores = scores
        self._total = sum(scores.values())
        known = [
            (int(case.score * STEPS), case.fractured)
            for case in reviewed
            if case.fractured is not None and case.score is not None
        ]
        self._known = Counter(step for step, _ in known)
        self._fractured = Counter(step for step, fractured in known if fractured)

    def cost(self, threshold: float) -> Cost | None:
        """Return what a threshold costs, to a thousandth; ``None`` while nothing is scored."""
        if not self._total:
            return None
        step = round(threshold * STEPS)
        hits = _from(self._fractured, step)
        return Cost(
            threshold=step / STEPS,
            flags_per_hundred=100 * _from(self._scores, step) / self._total,
            precision=Share(hits, _from(self._known, step)),
            sensitivity=Share(hits, self._fractured.total()),
        )

    def by_flags(self, most: float) -> Budget:
        """Find the lowest threshold with at most so many flags per hundred studies."""
        flagged, lowest = 0, STEPS + 1
        for step in range(STEPS, -1, -1):
            flagged += self._scores.get(step, 0)
            if 100 * flagged > most * self._total:
                break
            lowest = step
        return Budget(most, self.cost(lowest / STEPS) if lowest <= STEPS else None)

    def by_precision(self, least: float) -> Budget:
        """Find the lowest threshold above which so large a part of the reviewed is fractured."""
        for step in sorted(self._known):
            cost = self.cost(step / STEPS)
            if cost is not None and (cost.precision.value or 0.0) >= least:
                return Budget(least, cost)
        return Budget(least, None)


def _from(counts: Mapping[int, int], step: int) -> int:
    return sum(count for score, count in counts.items() if score >= step)
