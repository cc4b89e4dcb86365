"""What is judged of a group's week, and on how many studies it rests."""

from __future__ import annotations

from enum import StrEnum

from screening.domain.agreement import Share
from screening.domain.week_count import WeekCount


class Figure(StrEnum):
    """What is judged of a group's week."""

    FLAGGED = "flagged"
    NOT_SCORED = "not scored"
    MEDIAN = "median score"
    DISTANCE = "distance of scores"
    AGREED = "agreed"
    PRECISION = "PPV of flags"

    @property
    def least(self) -> int:
        """Studies of a week below which it is not judged."""
        return 10 if self in _OF_REVIEWS else 20


_OF_REVIEWS = frozenset({Figure.AGREED, Figure.PRECISION})


def share_of(figure: Figure, week: WeekCount) -> Share:
    """Return a figure that is a share: of what it counts how much."""
    if figure is Figure.FLAGGED:
        return Share(week.flagged, week.scored)
    if figure is Figure.NOT_SCORED:
        return Share(week.not_scored, week.read)
    return week.agreed if figure is Figure.AGREED else week.precision


def size_of(figure: Figure, week: WeekCount) -> int:
    """Return on how many studies of a week a figure rests."""
    if figure in (Figure.MEDIAN, Figure.DISTANCE):
        return week.scored
    return share_of(figure, week).of
