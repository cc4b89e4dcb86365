"""What was made in one week, in numbers."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from screening.domain.agreement import Share
from screening.domain.alert_budget import STEPS

_NONE = Share(0, 0)


@dataclass(frozen=True, slots=True)
class WeekCount:
    """Studies of a group that were made in one week.

    Attributes
    ----------
    begins
        The week's Monday.
    studies, images
        That are here.
    read
        Studies that do not wait for their first result.
    scored
        Studies of which an image has a score.
    flagged
        Studies that are suspected or doubtful.
    not_scored
        Studies of which an image has a reason in place of a score; objects of our own, that came
        back, do not count.
    reasons
        Studies by such a reason; one may have several.
    scores
        Studies by their score, in thousandths, rounded down.
    agreed
        Reviews of them that share the verdict, of those that are certain.
    precision
        Those in which the reviewer sees a fracture, of the flagged ones that were reviewed.
    """

    begins: dt.date
    studies: int = 0
    images: int = 0
    read: int = 0
    scored: int = 0
    flagged: int = 0
    not_scored: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[int, int] = field(default_factory=dict)
    agreed: Share = _NONE
    precision: Share = _NONE

    @property
    def ends(self) -> dt.date:
        """The week's Sunday."""
        return self.begins + dt.timedelta(days=6)

    @property
    def quartiles(self) -> tuple[float, float, float] | None:
        """The lower quartile, the median and the upper quartile of scores; ``None`` of none."""
        return quartiles(self.scores)


def quartiles(scores: Mapping[int, int]) -> tuple[float, float, float] | None:
    """Return the lower quartile, the median and the upper quartile of counted scores.

    Each is the least score that so great a share does not exceed, in the middle of its thousandth.
    """
    total = sum(scores.values())
    if not total:
        return None
    found: list[float] = []
    seen = 0
    for step in sorted(scores):
        seen += scores[step]
        while len(found) < 3 and 4 * seen >= (len(found) + 1) * total:
            found.append(min(1.0, (step + 0.5) / STEPS))
    return found[0], found[1], found[2]


def error_of_median(scores: Mapping[int, int], studies: int) -> float:
    """Return the standard error of a median of so many studies, by the quartiles of others.

    1.25 R / (1.35 sqrt(N)), R between the quartiles: McGill, Tukey and Larsen, Variations of box
    plots, Am. Stat. 32, 1978. At least that of a score that is rounded to thousandths.

    Parameters
    ----------
    scores
        That are not in question: a week whose scores drift apart would excuse itself.
    studies
        At least 1.
    """
    found = quartiles(scores)
    spread = found[2] - found[0] if found else 0.0
    return max(1 / (STEPS * math.sqrt(12)), 1.25 * spread / (1.35 * math.sqrt(studies)))


def pooled(weeks: Iterable[WeekCount]) -> dict[int, int]:
    """Return the counted scores of several weeks together."""
    found: dict[int, int] = {}
    for week in weeks:
        for step, count in week.scores.items():
            found[step] = found.get(step, 0) + count
    return found


class Cumulated:
    """Counted scores as cumulative shares.

    Parameters
    ----------
    scores
        By thousandths; at least one.
    """

    def __init__(self, scores: Mapping[int, int]) -> None:
        self.total = sum(scores.values())
        self._below = [0.0]
        seen = 0
        for step in range(STEPS + 1):
            seen += scores.get(step, 0)
            self._below.append(seen / self.total)

    def distance(self, scores: Mapping[int, int]) -> float:
        """Return the greatest distance to the cumulative shares of other scores, in [0, 1]."""
        total, seen, greatest = sum(scores.values()), 0, 0.0
        # It is greatest at a score of the others, or just below it.
        for step in sorted(scores):
            greatest = max(greatest, abs(self._below[step] - seen / total))
            seen += scores[step]
            greatest = max(greatest, abs(self._below[step + 1] - seen / total))
        return greatest
