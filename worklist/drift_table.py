"""The board of drift in a terminal."""

from __future__ import annotations

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from screening.domain.drift import GroupCourse, Point
from worklist.columns import Column, fitted_table
from worklist.drift import Drift
from worklist.drift_words import amount
from worklist.plain_text import plain

_COLUMNS = (
    Column("Group", 16, 48),
    Column("Studies", 7, 8, right=True),
    Column("Flagged", 9, 9, right=True),
    Column("Not\nscored", 9, 9, right=True),
    Column("Median", 8, 8, right=True),
    Column("Distance", 8, 8, right=True),
    Column("Agreed", 9, 9, right=True),
    Column("PPV", 9, 9, right=True),
)


def drift_table(drift: Drift, width: int) -> RenderableType:
    """Return what is outside in words, and each group's last finished week, for a terminal."""
    lines: list[RenderableType] = [Text(plain(each.sentence), "red") for each in drift.alarms]
    lines.append(Text(summary(drift)))
    if not drift.board.groups:
        return Lines(*lines)
    number = max(0, len(drift.mondays) - 2)
    lines.append(Text(f"Week of {drift.mondays[number]}; ! is outside its limits:"))
    rows = [_row(each, number) for each in drift.board.groups]
    return Lines(*lines, fitted_table(_COLUMNS, rows, width))


def summary(drift: Drift) -> str:
    """Return how much was judged, and what chance alone would bring."""
    board = drift.board
    undated = f" {drift.left_out}".rstrip()
    if not board.groups:
        return f"No study was made in these weeks.{undated}"
    if not board.judged:
        return f"No limits yet: too few weeks with enough studies.{undated}"
    return (
        f"{board.outside or 'None'} of {board.judged} figures outside the limits; by chance alone "
        f"{board.expected:.1f} would be, at most.{undated}"
    )


def _row(found: GroupCourse, number: int) -> list[Text]:
    week = found.group.weeks[number]
    cells = [Text(plain(found.group.label)), Text(str(week.studies))]
    for course in found.courses:
        point: Point = course.points[number]
        mark = " !" if point.is_outside else ""
        cells.append(Text(amount(course.figure, point.control.value) + mark))
    return cells
