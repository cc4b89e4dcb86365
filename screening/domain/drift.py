"""Drift: whether the studies of a week are unlike those of the weeks before, group by group."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from screening.domain.chance import MEAN_DISTANCE, distance_limit
from screening.domain.control_chart import (
    CHANCE,
    FEWEST,
    Control,
    control_share,
    control_value,
    spread_of_shares,
)
from screening.domain.figure import Figure, share_of, size_of
from screening.domain.week_count import Cumulated, WeekCount, error_of_median, pooled

REFERENCE_WEEKS = 8
"""A group's first weeks, with which the later ones are compared; at most half of what it has."""

FEWEST_WEEKS = 4
"""Of reference, below which there are no limits."""

FALSE_ALARMS = 1.0
"""On a whole board, by chance alone: the limits are the wider, the more is judged."""


_Judge = Callable[[WeekCount, float], Control]


@dataclass(frozen=True, slots=True)
class Group:
    """Studies that have something in common, in weeks.

    Attributes
    ----------
    label
        What they have in common, for a person.
    value
        By which the list of cases can be asked for them; empty where it cannot.
    weeks
        Without a gap, the oldest first.
    """

    label: str
    value: str
    weeks: tuple[WeekCount, ...]

    @property
    def studies(self) -> int:
        """Of all weeks."""
        return sum(week.studies for week in self.weeks)


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one week.

    Attributes
    ----------
    is_reference
        Whether the later weeks are compared with this one.
    is_judged
        Whether it has limits, and studies enough to hold against them.
    """

    week: WeekCount
    control: Control
    is_reference: bool
    is_judged: bool

    @property
    def is_outside(self) -> bool:
        """Whether it is judged and lies outside its limits."""
        return self.is_judged and self.control.is_unusual


@dataclass(frozen=True, slots=True)
class Course:
    """A figure of a group, week by week.

    Attributes
    ----------
    enough
        How many of its weeks have studies enough to be judged.
    """

    figure: Figure
    enough: int
    points: tuple[Point, ...]

    @property
    def outside(self) -> tuple[Point, ...]:
        """Points outside their limits, the newest first."""
        return tuple(each for each in reversed(self.points) if each.is_outside)

    @property
    def has_limits(self) -> bool:
        """Whether any of its weeks is judged."""
        return any(each.is_judged for each in self.points)


@dataclass(frozen=True, slots=True)
class GroupCourse:
    """All figures of a group."""

    group: Group
    courses: tuple[Course, ...]

    @property
    def outside(self) -> int:
        """How many of its points lie outside their limits."""
        return sum(len(each.outside) for each in self.courses)

    def of(self, figure: Figure) -> Course:
        """Return the course of a figure."""
        return next(each for each in self.courses if each.figure is figure)


@dataclass(frozen=True, slots=True)
class Board:
    """Groups and their figures, judged together.

    Attributes
    ----------
    groups
        Those with most studies first.
    judged
        How many points have limits.
    chance
        That one of them lies outside though nothing has changed, at most.
    """

    groups: tuple[GroupCourse, ...]
    judged: int
    chance: float

    @property
    def outside(self) -> int:
        """How many points lie outside their limits."""
        return sum(each.outside for each in self.groups)

    @property
    def expected(self) -> float:
        """How many would by chance alone, at most."""
        return self.judged * self.chance


@dataclass(frozen=True, slots=True)
class _Plan:
    """What of a group's figure can be judged, before anybody knows how much there is in all."""

    group: Group
    figure: Figure
    enough: tuple[int, ...]
    reference: tuple[int, ...]

    @property
    def judged(self) -> tuple[int, ...]:
        return self.enough[len(self.reference) :] if self.reference else ()


def judge(groups: Sequence[Group]) -> Board:
    """Hold each group's later weeks against its first ones.

    A chance of three standard deviations for each point would sound alarms by itself once there are
    many points: where so many are judged, each gets as much less of it that no more than
    `FALSE_ALARMS` are to be expected on the whole board.
    """
    ordered = sorted(groups, key=lambda group: (-group.studies, group.label))
    plans = [[_plan(group, figure) for figure in Figure] for group in ordered]
    judged = sum(len(plan.judged) for each in plans for plan in each)
    chance = min(CHANCE, FALSE_ALARMS / judged) if judged else CHANCE
    courses = [
        GroupCourse(each[0].group, tuple(_course(plan, chance) for plan in each)) for each in plans
    ]
    return Board(tuple(courses), judged, chance)


def weeks_until(last: dt.date, weeks: int) -> list[dt.date]:
    """Return the Mondays of so many weeks, of which the last one holds a day."""
    monday = last - dt.timedelta(days=last.weekday())
    return [monday - dt.timedelta(weeks=back) for back in reversed(range(weeks))]


def _plan(group: Group, figure: Figure) -> _Plan:
    weeks = group.weeks
    enough = tuple(
        number for number, week in enumerate(weeks) if size_of(figure, week) >= figure.least
    )
    reference = enough[: min(REFERENCE_WEEKS, len(enough) // 2)]
    rests_on = sum(size_of(figure, weeks[number]) for number in reference)
    if len(reference) < FEWEST_WEEKS or rests_on < FEWEST:
        reference = ()
    return _Plan(group, figure, enough, reference)


def _course(plan: _Plan, chance: float) -> Course:
    weeks = plan.group.weeks
    hold = _CHARTS[plan.figure](plan.figure, [weeks[number] for number in plan.reference])
    judged = frozenset(plan.judged)
    points = tuple(
        Point(week, hold(week, chance), number in plan.reference, number in judged)
        for number, week in enumerate(weeks)
    )
    return Course(plan.figure, len(plan.enough), points)


def _share_chart(figure: Figure, reference: Sequence[WeekCount]) -> _Judge:
    shares = [share_of(figure, week) for week in reference]
    before = [(share.count, share.of) for share in shares]
    spread = spread_of_shares(before)

    def hold(week: WeekCount, chance: float) -> Control:
        now = share_of(figure, week)
        return control_share(now.count, now.of, before, chance=chance, spread=spread)

    return hold


def _median_chart(_: Figure, reference: Sequence[WeekCount]) -> _Judge:
    before = [found[1] for week in reference if (found := week.quartiles)]
    whole = pooled(reference)

    def hold(week: WeekCount, chance: float) -> Control:
        found = week.quartiles
        if found is None:
            return Control(None, week.scored)
        error = error_of_median(whole, week.scored)
        return control_value(found[1], week.scored, before, error, chance=chance)

    return hold


def _distance_chart(_: Figure, reference: Sequence[WeekCount]) -> _Judge:
    if not reference:
        return lambda week, chance: Control(None, week.scored)
    whole = Cumulated(pooled(reference))
    wider = _spread_of_distances(reference)

    def hold(week: WeekCount, chance: float) -> Control:
        if not week.scored:
            return Control(None, 0)
        limit = wider * distance_limit(chance, whole.total, week.scored)
        return Control(whole.distance(week.scores), week.scored, None, 0.0, min(1.0, limit))

    return hold


def _spread_of_distances(reference: Sequence[WeekCount]) -> float:
    """Return how much further weeks are from each other than chance alone has them; at least 1.

    Each week beside the others, in the mean: as Laney's p' chart has it for shares.
    """
    ratios = []
    for week in reference:
        rest = Cumulated(pooled(other for other in reference if other is not week))
        by_chance = MEAN_DISTANCE * (1 / rest.total + 1 / week.scored) ** 0.5
        ratios.append(rest.distance(week.scores) / by_chance)
    return max(1.0, statistics.fmean(ratios))


_CHARTS: dict[Figure, Callable[[Figure, Sequence[WeekCount]], _Judge]] = {
    Figure.FLAGGED: _share_chart,
    Figure.NOT_SCORED: _share_chart,
    Figure.MEDIAN: _median_chart,
    Figure.DISTANCE: _distance_chart,
    Figure.AGREED: _share_chart,
    Figure.PRECISION: _share_chart,
}
