"""Who called: every association, newest first, and why a refused one was refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from screening.records.association import Outcome
from screening.records.schema import AssociationRow

_ENDED_ILL = (Outcome.REJECTED, Outcome.ABORTED, Outcome.LOST)


@dataclass(frozen=True, slots=True)
class Call:
    """One association as a line of the list.

    Attributes
    ----------
    association
        The number of its row, by which the ledger names it.
    listener
        Which of ours answered: host and port.
    stored, duplicates, conflicts, refused
        How many C-STOREs were answered so.
    explanation
        Why it was rejected, aborted or lost; ``None`` for another.
    last_refusal
        Status and words of the last image that was refused; ``None`` where none was.
    """

    association: int
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    listener: str
    outcome: Outcome
    stored: int
    duplicates: int
    conflicts: int
    refused: int
    explanation: str | None
    last_refusal: str | None


def list_calls(
    session: Session,
    *,
    since: dt.datetime | None = None,
    refused: bool = False,
    limit: int | None = 50,
) -> list[Call]:
    """Return associations, newest first.

    Parameters
    ----------
    session
        An open transaction.
    since
        Only those that were open at this time or later. UTC.
    refused
        Only those that were rejected, aborted or lost, or had an image refused.
    limit
        At most so many; ``None`` for all.
    """
    query = (
        select(AssociationRow)
        .order_by(AssociationRow.opened_at.desc(), AssociationRow.id.desc())
        .limit(limit)
    )
    if since is not None:
        query = query.where(open_since(since))
    if refused:
        query = query.where(
            or_(
                AssociationRow.outcome.in_([outcome.value for outcome in _ENDED_ILL]),
                AssociationRow.refused > 0,
            )
        )
    return [_call(row) for row in session.scalars(query)]


def open_since(since: dt.datetime) -> ColumnElement[bool]:
    """Return what holds for an association that was open at a moment or later."""
    return or_(
        AssociationRow.opened_at >= since,
        AssociationRow.closed_at >= since,
        AssociationRow.closed_at.is_(None),
    )


def _call(row: AssociationRow) -> Call:
    outcome = Outcome(row.outcome)
    unexplained = outcome in _ENDED_ILL and not row.explanation
    return Call(
        association=row.id,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        calling_ae_title=row.calling_ae_title,
        called_ae_title=row.called_ae_title,
        peer_address=row.peer_address,
        listener=row.listener,
        outcome=outcome,
        stored=row.stored,
        duplicates=row.duplicates,
        conflicts=row.conflicts,
        refused=row.refused,
        explanation=(
            "nothing is on record but that it ended so: look at the listener's log of that minute"
            if unexplained
            else row.explanation
        ),
        last_refusal=row.last_refusal,
    )
