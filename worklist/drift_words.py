"""What is said of a week's figure, and where its studies are in the list."""

from __future__ import annotations

from screening.domain.drift import Group, Point
from screening.domain.figure import Figure, share_of
from screening.domain.reason import Reason
from screening.domain.verdict import FLAGGED, SCORED, Verdict
from screening.domain.week_count import WeekCount
from screening.records.case_filter import CaseFilter
from worklist.case_query import address_of

TITLES = {
    Figure.FLAGGED: "Flagged",
    Figure.NOT_SCORED: "With an image not scored",
    Figure.MEDIAN: "Median score",
    Figure.DISTANCE: "Distance of scores",
    Figure.AGREED: "Reviews that agree",
    Figure.PRECISION: "PPV of flags",
}

NOTHING = {
    Figure.FLAGGED: "Nothing is scored in these weeks.",
    Figure.NOT_SCORED: "Everything waits.",
    Figure.MEDIAN: "Nothing is scored in these weeks.",
    Figure.DISTANCE: "There are no reference weeks yet.",
    Figure.AGREED: "No reviews yet.",
    Figure.PRECISION: "No flagged study is reviewed yet.",
}

_SAID = {
    Figure.FLAGGED: "{value} of studies flagged",
    Figure.NOT_SCORED: "{value} of studies with an image that was not scored",
    Figure.MEDIAN: "median score {value}",
    Figure.DISTANCE: "scores {value} away from those of the reference weeks",
    Figure.AGREED: "{value} of reviews agree",
    Figure.PRECISION: "a fracture in {value} of the flagged studies that were reviewed",
}
_SHARES = frozenset({Figure.FLAGGED, Figure.NOT_SCORED, Figure.AGREED, Figure.PRECISION})


def is_share(figure: Figure) -> bool:
    """Say whether a figure is a part of something."""
    return figure in _SHARES


def amount(figure: Figure, value: float | None) -> str:
    """Return a figure's value as people read it."""
    if value is None:
        return "-"
    if not is_share(figure):
        return f"{value:.2f}"
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.1f} %"


def expected(figure: Figure, point: Point) -> str:
    """Return between what a figure was expected, or why nobody can say."""
    control = point.control
    if point.is_reference:
        return "a reference week"
    if not point.is_judged or control.low is None or control.high is None:
        few = f"not judged: fewer than {figure.least}"
        return few if control.of < figure.least else "no limits yet"
    if figure is Figure.DISTANCE:
        return f"at most {amount(figure, control.high)} expected"
    return f"{amount(figure, control.low)} to {amount(figure, control.high)} expected"


def said(figure: Figure, point: Point) -> str:
    """Return what a week's figure is, beside what was expected of it."""
    week, control = point.week, point.control
    began = f"week of {week.begins}"
    if control.value is None:
        return f"{began}: nothing"
    words = _SAID[figure].format(value=amount(figure, control.value))
    if is_share(figure):
        share = share_of(figure, week)
        words += f" ({share.count} of {share.of})"
    else:
        words += f" ({control.of} studies)"
    if figure is Figure.NOT_SCORED and week.reasons:
        words += f", {reasons(week)}"
    return f"{began}: {words}; {expected(figure, point)}"


def reasons(week: WeekCount) -> str:
    """Return why images of a week's studies were not scored, the most frequent reason first."""
    ordered = sorted(week.reasons.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {Reason(reason).sentence}" for reason, count in ordered)


def address_of_point(group: Group, figure: Figure, week: WeekCount) -> str:
    """Return where the list shows a week's studies that a figure counts.

    The list cannot be asked for a scanner or an age: of these groups it shows all of the week.
    """
    verdicts, reviewed, reason = frozenset(Verdict), None, None
    if figure in (Figure.FLAGGED, Figure.PRECISION):
        verdicts = FLAGGED
    elif figure in (Figure.MEDIAN, Figure.DISTANCE):
        verdicts = SCORED
    elif figure is Figure.NOT_SCORED and week.reasons:
        reason = Reason(max(week.reasons, key=lambda each: week.reasons[each]))
    if figure in (Figure.AGREED, Figure.PRECISION):
        reviewed = True
    wanted = CaseFilter(
        verdicts=verdicts,
        reviewed=reviewed,
        reason=reason,
        body_part=group.value,
        first_date=week.begins,
        last_date=week.ends,
    )
    return f"/?{address_of(wanted)}"
