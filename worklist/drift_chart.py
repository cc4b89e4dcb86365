"""A course of weeks, and a spread of scores, as shapes of an SVG picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from screening.domain.alert_budget import STEPS
from screening.domain.drift import Course, Group, Point
from screening.domain.figure import Figure, share_of
from screening.domain.week_count import WeekCount, pooled
from worklist.drift_words import TITLES, address_of_point, amount, said

WIDTH, HEIGHT = 340, 150
"""Of a picture, in its own units."""

_LEFT, _RIGHT, _TOP, _FLOOR = 40, 334, 10, 124
_SCALES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_BINS = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A week's figure in a picture.

    Attributes
    ----------
    kind
        ``outside``, ``inside``, ``reference`` or ``unjudged``: each has a shape of its own.
    said
        In words.
    address
        Of its studies in the list, if it is outside; else empty.
    """

    x: float
    y: float
    kind: str
    said: str
    address: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure's course.

    Attributes
    ----------
    top
        The value at the upper edge, in words.
    first, last
        Weeks at its edges.
    bands
        Stretches of weeks between their limits: the points of polygons.
    lines
        Stretches of values: the points of polylines.
    spans
        Of each week x, and from where to where its quartiles or its interval reach.
    reference
        From where to where the reference weeks reach; ``None`` without any.
    """

    title: str
    description: str
    top: str
    first: str
    last: str
    bands: tuple[str, ...]
    lines: tuple[str, ...]
    spans: tuple[tuple[float, float, float], ...]
    reference: tuple[float, float] | None
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How the scores of a week are spread, beside those of the reference weeks.

    Attributes
    ----------
    bars
        Of the week: x, y, width and height.
    outline
        Of the reference weeks: the points of a polyline; empty without any.
    """

    description: str
    top: str
    bars: tuple[tuple[float, float, float, float], ...]
    outline: str


def picture(group: Group, course: Course) -> Picture:
    """Return the course of a figure; its scale begins at 0."""
    points = course.points
    top = _scale(_heights(course))
    places = _Places(len(points), top)
    shown = [(number, each) for number, each in enumerate(points) if each.control.value is not None]
    return Picture(
        title=TITLES[course.figure],
        description=_described(course),
        top=amount(course.figure, top),
        first=f"{points[0].week.begins:%d %b}",
        last=f"{points[-1].week.begins:%d %b}",
        bands=tuple(_bands(points, places)),
        lines=tuple(
            " ".join(
                f"{places.x(number)},{places.y(each.control.value or 0)}" for number, each in run
            )
            for run in _runs(shown)
        ),
        spans=tuple(_spans(course.figure, shown, places)),
        reference=_reference(points, places),
        marks=tuple(_mark(group, course.figure, each, number, places) for number, each in shown),
    )


def spread(course: Course) -> Spread | None:
    """Return how scores are spread in the newest week that has enough of them.

    Parameters
    ----------
    course
        Of the distance of scores.
    """
    weeks = [each.week for each in course.points if each.week.scored >= course.figure.least]
    if not weeks:
        return None
    reference = [each.week for each in course.points if each.is_reference]
    now, before = _bins(weeks[-1:]), _bins(reference)
    top = _scale([*now, *before])
    wide = (_RIGHT - _LEFT) / _BINS
    places = _Places(1, top)
    bars = tuple(
        (
            round(_LEFT + number * wide + 1, 1),
            places.y(share),
            round(wide - 2, 1),
            round(_FLOOR - places.y(share), 1),
        )
        for number, share in enumerate(now)
    )
    steps = [
        f"{round(_LEFT + (number + side) * wide, 1)},{places.y(share)}"
        for number, share in enumerate(before)
        for side in (0, 1)
    ]
    description = f"Scores of {weeks[-1].scored} studies of the week of {weeks[-1].begins}"
    if reference:
        count = sum(week.scored for week in reference)
        description += f"; the line is those of the reference weeks, {count} studies"
    return Spread(description, f"{top:.0%}".replace("%", " %"), bars, " ".join(steps))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where weeks and values are in a picture."""

    weeks: int
    top: float

    def x(self, number: float) -> float:
        step = (_RIGHT - _LEFT) / max(1, self.weeks)
        return round(_LEFT + (number + 0.5) * step, 1)

    def y(self, value: float) -> float:
        return round(_FLOOR - (_FLOOR - _TOP) * min(value / self.top, 1.0), 1)


def _scale(values: Iterable[float]) -> float:
    greatest = max(values, default=0.0)
    return next(each for each in _SCALES if each >= min(greatest, 1.0))


def _heights(course: Course) -> list[float]:
    """Return all that must fit into the picture."""
    found = []
    for each in course.points:
        found.append(each.control.value or 0.0)
        if each.is_judged:
            found.append(each.control.high or 0.0)
        ends = _span(course.figure, each.week)
        if ends is not None:
            found.append(ends[1])
    return found


def _bands(points: Sequence[Point], places: _Places) -> Iterable[str]:
    judged = [(number, each) for number, each in enumerate(points) if each.is_judged]
    for run in _runs(judged):
        upper, lower = [], []
        for number, each in run:
            for x in (places.x(number - 0.5), places.x(number + 0.5)):
                upper.append(f"{x},{places.y(each.control.high or 0.0)}")
                lower.append(f"{x},{places.y(each.control.low or 0.0)}")
        yield " ".join([*upper, *reversed(lower)])


def _runs(numbered: Sequence[tuple[int, Point]]) -> Iterable[list[tuple[int, Point]]]:
    """Yield stretches without a gap."""
    for _, run in groupby(enumerate(numbered), lambda each: each[1][0] - each[0]):
        yield [each for _, each in run]


def _spans(
    figure: Figure, shown: Sequence[tuple[int, Point]], places: _Places
) -> Iterable[tuple[float, float, float]]:
    for number, each in shown:
        ends = _span(figure, each.week)
        if ends is not None:
            yield places.x(number), places.y(ends[0]), places.y(ends[1])


def _span(figure: Figure, week: WeekCount) -> tuple[float, float] | None:
    if figure is Figure.MEDIAN and week.quartiles:
        return week.quartiles[0], week.quartiles[2]
    if figure in (Figure.AGREED, Figure.PRECISION):
        return share_of(figure, week).interval
    return None


def _reference(points: Sequence[Point], places: _Places) -> tuple[float, float] | None:
    numbers = [number for number, each in enumerate(points) if each.is_reference]
    if not numbers:
        return None
    return places.x(numbers[0] - 0.5), places.x(numbers[-1] + 0.5)


def _mark(group: Group, figure: Figure, point: Point, number: int, places: _Places) -> Mark:
    kind = "inside" if point.is_judged else "reference" if point.is_reference else "unjudged"
    return Mark(
        x=places.x(number),
        y=places.y(point.control.value or 0.0),
        kind="outside" if point.is_outside else kind,
        said=said(figure, point),
        address=address_of_point(group, figure, point.week) if point.is_outside else "",
    )


def _described(course: Course) -> str:
    """Return in words what the picture shows."""
    values = [each.control.value for each in course.points if each.control.value is not None]
    if not values:
        return "Nothing in these weeks."
    low, high = (amount(course.figure, each) for each in (min(values), max(values)))
    about = f"{len(values)} weeks, between {low} and {high}"
    if course.figure is Figure.MEDIAN:
        about += "; the bars reach from quartile to quartile"
    elif course.figure in (Figure.AGREED, Figure.PRECISION):
        about += "; the bars are 95 % intervals"
    if not course.has_limits:
        return f"{about}; no limits yet."
    outside = len(course.outside)
    return f"{about}; {outside or 'none'} outside the limits."


def _bins(weeks: Sequence[WeekCount]) -> list[float]:
    """Return the shares of scores in twentieths; empty for no weeks."""
    counted = pooled(weeks)
    total = sum(counted.values())
    if not total:
        return []
    shares = [0.0] * _BINS
    for step, count in counted.items():
        shares[min(_BINS - 1, step * _BINS // STEPS)] += count / total
    return shares
