"""Which cases a list is to hold, how many there are, and whether it has changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.domain.reason import Reason
from screening.domain.triage import places
from screening.domain.verdict import FLAGGED, Verdict
from screening.records.desk_schema import ReviewRow
from screening.records.identity_schema import IdentityRow
from screening.records.result_schema import RevisionRow
from screening.records.schema import InstanceRow, StudyRow

_RECENT = 200
# A place or a row: PostgreSQL's integers end here.
_LARGEST = 2**31 - 1


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
        if not (separator and whole) or max(int(place[:20]), int(row[:20])) > _LARGEST:
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
    until
        With ``since``: none did at this time or later. UTC.
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
    until: dt.datetime | None = field(default=None)


EVERYTHING = CaseFilter(verdicts=frozenset(Verdict))
"""Every study that there is."""


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
    # Patients who became one, and those who are two again.
    for changed in (func.count(IdentityRow.id), func.count(IdentityRow.undone_at)):
        newest.append(session.scalar(select(changed)) or 0)
    # A study that is let wait again, or ends as before, has no new revision.
    ((first, last),) = places([Verdict.WAITING])
    waiting = select(func.count()).where(StudyRow.place.between(first, last))
    return ".".join(map(str, [*newest, session.scalar(waiting) or 0]))
