"""The board of drift, as the page, REST and the console all have it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from screening.domain.dimension import Dimension
from screening.domain.drift import Board, Course, Group, GroupCourse, Point, judge, weeks_until
from screening.records.drift import count_undated, count_weeks
from screening.records.engine import Records
from worklist.drift_words import address_of_point, said

WEEKS = 26
"""That are shown unless somebody asks for others."""

MOST_WEEKS = 104

# Weeks that are news, and groups whose charts fit a page.
_RECENT = 2
_CHARTED = 8

MOST_GROUPS = 60
"""That are judged, the largest: where names are made up as they come, there are thousands.

Their groups are too small to have limits, and would take the page's time all the same.
"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A figure of a group that lies, or lay, outside its limits.

    Attributes
    ----------
    newest
        The last week in which it did.
    earlier
        In how many weeks before it did as well.
    """

    group: Group
    course: Course
    newest: Point
    earlier: int

    @property
    def sentence(self) -> str:
        """What is the matter, for a person."""
        return f"{self.group.label}, {self.words}"

    @property
    def words(self) -> str:
        """The same without the group's name."""
        words = said(self.course.figure, self.newest)
        if not self.earlier:
            return words
        return f"{words}; outside in {self.earlier} earlier week{'s' * (self.earlier > 1)} as well"

    @property
    def address(self) -> str:
        """Of the studies of that week in the list, as far as its filters tell them apart."""
        return address_of_point(self.group, self.course.figure, self.newest.week)


@dataclass(frozen=True, slots=True)
class Drift:
    """Groups of studies, week by week, held against limits.

    Attributes
    ----------
    by
        What makes a group.
    mondays
        Of the weeks that were asked for; the last one goes on.
    board
        The groups and their figures.
    undated
        Studies without a Study Date, which are in no week.
    small
        Groups that are left out, since there are so many larger ones.
    """

    by: Dimension
    mondays: tuple[dt.date, ...]
    board: Board
    undated: int
    small: tuple[Group, ...] = ()

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Figures outside their limits, the newest first."""
        found = [
            Alarm(each.group, course, course.outside[0], len(course.outside) - 1)
            for each in self.board.groups
            for course in each.courses
            if course.outside
        ]
        return tuple(sorted(found, key=lambda alarm: alarm.newest.week.begins, reverse=True))

    @property
    def recent(self) -> tuple[Alarm, ...]:
        """Those of the week that goes on, or of the one before."""
        since = self.mondays[-_RECENT:][0]
        return tuple(each for each in self.alarms if each.newest.week.begins >= since)

    @property
    def enough(self) -> int:
        """How many weeks of any group have studies enough to be judged, at most."""
        return max((each.enough for one in self.board.groups for each in one.courses), default=0)

    @property
    def left_out(self) -> str:
        """Which studies are in no week or in no group; empty if each is in both."""
        parts = []
        if self.undated == 1:
            parts.append("1 study has no date and is in no week.")
        elif self.undated:
            parts.append(f"{self.undated} studies have no date and are in no week.")
        if self.small:
            studies = sum(group.studies for group in self.small)
            parts.append(
                f"Only the {MOST_GROUPS} largest groups are judged. Left out: {len(self.small)} "
                f"smaller, of at most {self.small[0].studies} studies each and {studies} in all."
            )
        return " ".join(parts)

    def chosen(self, label: str) -> tuple[GroupCourse, ...]:
        """Return the group of a name, or those to look at first: what is outside, then the largest.

        Parameters
        ----------
        label
            Of the only one; empty for the first of all.
        """
        if label:
            return tuple(each for each in self.board.groups if each.group.label == label)
        ordered = sorted(self.board.groups, key=lambda each: (-each.outside, -each.group.studies))
        return tuple(ordered[:_CHARTED])


def read_drift(records: Records, by: Dimension, weeks: int, today: dt.date) -> Drift:
    """Count the studies of the last weeks, and judge them.

    Parameters
    ----------
    weeks
        How many, with that of today.
    today
        Where the studies are made.
    """
    mondays = weeks_until(today, weeks)
    with records.read() as session:
        groups = count_weeks(session, by, mondays)
        undated = count_undated(session)
    ordered = sorted(groups, key=lambda group: (-group.studies, group.label))
    board = judge(ordered[:MOST_GROUPS])
    return Drift(by, tuple(mondays), board, undated, tuple(ordered[MOST_GROUPS:]))
