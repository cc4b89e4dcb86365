"""Which cases a list is to hold, and the query for one page of them.

A page is one stretch of an index: of that in the list's order, or of that of a filter's column.
Where a filter is a range, as of days, the stretches of its values are merged. Free text and a
moment are looked up first: mostly few studies have them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    exists,
    func,
    literal,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from screening.domain.reason import Reason
from screening.domain.search_words import queried
from screening.domain.triage import places
from screening.domain.verdict import FLAGGED, Verdict
from screening.records.desk_schema import ReviewRow
from screening.records.list_schema import StudyReasonRow, StudyWordRow
from screening.records.schema import InstanceRow, RevisionRow, StudyRow

MOST_MERGED_DAYS = 14
"""A longer span of days is so large a part of all studies that the list is read in its order."""

_FEW = 1000
_RECENT = 200
# Sorts after every character that a word may hold.
_LAST = chr(0x10FFFF)
# A row of SQLite and PostgreSQL has no more.
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a study stands in the list: its place, then its row."""

    place: int
    row: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what ``str`` wrote.

        Raises
        ------
        ValueError
            If it is none.
        """
        place, separator, row = text.partition(".")
        whole = place.isascii() and place.isdigit() and row.isascii() and row.isdigit()
        if not separator or not whole or max(len(place), len(row)) > _MOST_DIGITS:
            raise ValueError("a cursor is of the form 12.345, as the page before gave it")
        return cls(int(place), int(row))

    def __str__(self) -> str:
        return f"{self.place}.{self.row}"


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; every field narrows them.

    Attributes
    ----------
    verdicts
        Of the study. By default the flagged ones.
    reviewed
        Whether somebody has reviewed it; ``None`` for both.
    body_part, calling_ae_title
        As its first image has them; empty for any.
    reason
        One for which at least one of its images was not scored.
    first_date, last_date
        Between which the study was made, inclusive.
    text
        Each word begins a word of its patient's name or identifier, its accession number or UID.
    since
        An image of it came at this time or later. UTC.
    """

    verdicts: frozenset[Verdict] = FLAGGED
    reviewed: bool | None = None
    body_part: str = ""
    calling_ae_title: str = ""
    reason: Reason | None = None
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    text: str = ""
    since: dt.datetime | None = field(default=None)


EVERYTHING = CaseFilter(verdicts=frozenset(Verdict))
"""Every study that there is."""


def page_of_rows(
    session: Session, wanted: CaseFilter, limit: int | None, after: Cursor | None = None
) -> Select[int, int]:
    """Return the query for rows and places of studies, most urgent first.

    Parameters
    ----------
    session
        An open transaction: what few studies have is looked up at once.
    wanted
        Which studies.
    limit
        At most so many; ``None`` for all.
    after
        Where the page before ended.
    """
    common = [*_alike(wanted), *_few(session, wanted)]
    if after is not None:
        common.append(tuple_(StudyRow.place, StudyRow.id) > tuple_(after.place, after.row))
    if wanted.reason is not None:
        common.append(StudyReasonRow.reason == wanted.reason.value)
        if after is not None:
            own_place = tuple_(StudyReasonRow.place, StudyReasonRow.study_row)
            common.append(own_place > tuple_(after.place, after.row))
    branches = list(_branches(wanted))
    if len(branches) == 1:
        return _stretch(wanted, [*common, *branches[0]]).limit(limit)
    parts = [_stretch(wanted, [*common, *branch]).limit(limit).subquery() for branch in branches]
    if not parts:
        return select(StudyRow.id, StudyRow.place).where(StudyRow.id.is_(None))
    merged = union_all(*(select(part.c.id, part.c.place) for part in parts)).subquery()
    return select(merged.c.id, merged.c.place).order_by(merged.c.place, merged.c.id).limit(limit)


def _stretch(wanted: CaseFilter, conditions: list[ColumnElement[bool]]) -> Select[int, int]:
    """Return one stretch in the list's order; of a reason, that of its own table."""
    if wanted.reason is None:
        query = select(StudyRow.id, StudyRow.place).order_by(StudyRow.place, StudyRow.id)
        return query.where(*conditions)
    return (
        select(StudyReasonRow.study_row.label("id"), StudyReasonRow.place)
        .join(StudyRow, StudyRow.id == StudyReasonRow.study_row)
        .where(*conditions)
        .order_by(StudyReasonRow.place, StudyReasonRow.study_row)
    )


def _alike(wanted: CaseFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.reviewed is not None:
        yield StudyRow.review.is_not(None) if wanted.reviewed else StudyRow.review.is_(None)
    if wanted.body_part:
        yield StudyRow.body_part == wanted.body_part
    if wanted.calling_ae_title:
        yield StudyRow.calling_ae_title == wanted.calling_ae_title


def _branches(wanted: CaseFilter) -> Iterator[list[ColumnElement[bool]]]:
    """Yield the conditions of each stretch: a range of places on a day, or on any."""
    column = StudyRow.place if wanted.reason is None else StudyReasonRow.place
    everything = wanted.verdicts == frozenset(Verdict)
    ranges = [None] if everything else places(wanted.verdicts)
    for span in ranges:
        within = [] if span is None else [column.between(*span)]
        for days in _days(wanted):
            yield [*within, *days]


def _days(wanted: CaseFilter) -> Iterator[list[ColumnElement[bool]]]:
    first, last = wanted.first_date, wanted.last_date
    if first is None and last is None:
        yield []
    elif first is None or last is None or (last - first).days >= MOST_MERGED_DAYS:
        # As an expression: by the column's own index all its studies would be sorted for one page.
        date = func.coalesce(StudyRow.study_date, StudyRow.study_date)
        bounds = []
        if first is not None:
            bounds.append(date >= first)
        if last is not None:
            bounds.append(date <= last)
        yield [and_(*bounds)]
    else:
        for number in range((last - first).days + 1):
            yield [StudyRow.study_date == first + dt.timedelta(days=number)]


def _few(session: Session, wanted: CaseFilter) -> Iterator[ColumnElement[bool]]:
    """Look up what few studies have; where many have it, it is a condition like others."""
    for beginning in queried(wanted.text):
        # Bare texts: the column's own collation holds for the comparison.
        ends = literal(beginning, Text()), literal(beginning + _LAST, Text())
        begins = StudyWordRow.word.between(*ends)
        rows = select(StudyWordRow.study_row).where(begins).limit(_FEW + 1)
        found = set(session.scalars(rows))
        if len(found) <= _FEW:
            yield StudyRow.id.in_(found)
        else:
            yield exists().where(StudyWordRow.study_row == StudyRow.id, begins)
    if wanted.since is not None:
        recent = StudyRow.last_received_at >= wanted.since
        rows = select(StudyRow.id).where(recent).limit(_FEW + 1)
        found = set(session.scalars(rows))
        yield StudyRow.id.in_(found) if len(found) <= _FEW else recent


def count_by_verdict(session: Session) -> dict[Verdict, int]:
    """Count all studies by their verdict."""
    counted = {}
    for verdict in Verdict:
        ((first, last),) = places([verdict])
        count = select(func.count()).where(StudyRow.place.between(first, last))
        counted[verdict] = session.scalar(count) or 0
    return counted


def state_of_list(session: Session) -> str:
    """Return a text that changes whenever a line of the list may have come to look otherwise."""
    newest = [
        session.scalar(select(func.max(column))) or 0
        for column in (InstanceRow.id, RevisionRow.id, ReviewRow.id)
    ]
    # Rows are not committed in the order of their numbers: the last of them are counted as well.
    recent = select(func.count()).where(RevisionRow.id > newest[1] - _RECENT)
    newest.append(session.scalar(recent) or 0)
    # A study that is let wait again, or ends as before, has no new revision.
    ((first, last),) = places([Verdict.WAITING])
    waiting = select(func.count()).where(StudyRow.place.between(first, last))
    return ".".join(map(str, [*newest, session.scalar(waiting) or 0]))
