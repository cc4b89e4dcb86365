"""Requests for storage commitment: kept until their sender has been told."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from screening.domain.commitment import Reference
from screening.records.schema import CommitmentRow


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """A request whose sender has not been told yet.

    Attributes
    ----------
    row
        Its number.
    calling_ae_title
        Whom to tell.
    transaction_uid
        Of the request.
    references
        The instances that it names.
    duplicate
        Whether its transaction UID was in use for something else.
    attempts
        How often telling has failed.
    """

    row: int
    calling_ae_title: str
    transaction_uid: str
    references: tuple[Reference, ...]
    duplicate: bool
    attempts: int


def request_commitment(
    session: Session,
    calling_ae_title: str,
    transaction_uid: str,
    references: Sequence[Reference],
    now: dt.datetime,
) -> int:
    """Keep a request, and return its row. The same one again is one request.

    Parameters
    ----------
    calling_ae_title
        Who asks.
    transaction_uid, references
        Of the request.
    now
        When it is to be reported first. UTC.
    """
    named = json.dumps([[item.sop_class_uid, item.sop_instance_uid] for item in references])
    open_ones = session.scalars(
        select(CommitmentRow).where(
            CommitmentRow.calling_ae_title == calling_ae_title,
            CommitmentRow.transaction_uid == transaction_uid,
            CommitmentRow.reported_at.is_(None),
        )
    ).all()
    for known in open_ones:
        if known.instances == named:
            known.due_at = now
            return known.id
    row = CommitmentRow(
        calling_ae_title=calling_ae_title,
        transaction_uid=transaction_uid,
        instances=named,
        duplicate=bool(open_ones),
        requested_at=now,
        due_at=now,
        attempts=0,
    )
    session.add(row)
    session.flush()
    return row.id


def due_commitments(
    session: Session, now: dt.datetime, calling_ae_titles: Sequence[str], limit: int = 100
) -> list[CommitmentRequest]:
    """Return requests of these senders that are to be reported by now, the longest due first."""
    rows = session.scalars(
        select(CommitmentRow)
        .where(
            CommitmentRow.reported_at.is_(None),
            CommitmentRow.due_at <= now,
            CommitmentRow.calling_ae_title.in_(calling_ae_titles),
        )
        .order_by(CommitmentRow.due_at, CommitmentRow.id)
        .limit(limit)
    )
    return [
        CommitmentRequest(
            row.id,
            row.calling_ae_title,
            row.transaction_uid,
            tuple(Reference(*pair) for pair in json.loads(row.instances)),
            row.duplicate,
            row.attempts,
        )
        for row in rows
    ]


def mark_reported(session: Session, row: int, now: dt.datetime) -> None:
    """Note that a request's sender has taken our report."""
    session.execute(
        update(CommitmentRow)
        .where(CommitmentRow.id == row)
        .values(reported_at=now, last_error=None)
    )


def postpone_commitment(session: Session, row: int, due_at: dt.datetime, error: str) -> None:
    """Note that a report was not taken, and why, and when it is tried again."""
    session.execute(
        update(CommitmentRow)
        .where(CommitmentRow.id == row)
        .values(due_at=due_at, attempts=CommitmentRow.attempts + 1, last_error=error)
    )
