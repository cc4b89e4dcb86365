"""Which studies are to be announced to the workers, and when.

A row is written in the transaction that makes it true and marked as sent after the message is on
its way, so a crash in between sends twice and never not at all. Redis may forget every message:
`lost` finds the studies that wait although they were announced.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.records.dialect import Insert
from screening.records.prepared import Prepared
from screening.records.schema import InstanceRow, OutboxRow


@Prepared
def _postpone(insert: Insert) -> Executable:
    new = insert(OutboxRow)
    return new.on_conflict_do_update(
        index_elements=["study_row"], set_={"due_at": new.excluded.due_at, "sent_at": None}
    )


def postpone(connection: Connection, study_row: int, due_at: dt.datetime) -> None:
    """Announce a study at ``due_at``: a further image moves the moment."""
    _postpone.run(connection, study_row=study_row, due_at=due_at, sent_at=None, times_sent=0)


def announce_now(session: Session, study_rows: Collection[int], now: dt.datetime) -> None:
    """Make studies due at once where they are still to be sent: their association closed.

    One that another transaction has in hand is left to it: it grows, is made due or is sent just
    now. Nobody waits, so no two wait for each other.
    """
    if study_rows:
        free = _free(study_rows, OutboxRow.sent_at.is_(None), OutboxRow.due_at > now)
        session.execute(update(OutboxRow).where(OutboxRow.study_row.in_(free)).values(due_at=now))


def _free(study_rows: Collection[int], *conditions: ColumnElement[bool]) -> Select[int]:
    """Take the rows that nobody has in hand."""
    found = select(OutboxRow.study_row).where(OutboxRow.study_row.in_(study_rows), *conditions)
    return found.with_for_update(skip_locked=True)


def due(session: Session, now: dt.datetime, limit: int = 500) -> list[int]:
    """Return the studies to announce, the longest due first."""
    return list(
        session.scalars(
            select(OutboxRow.study_row)
            .where(OutboxRow.sent_at.is_(None), OutboxRow.due_at <= now)
            .order_by(OutboxRow.due_at)
            .limit(limit)
        )
    )


def lanes(session: Session, study_rows: Collection[int]) -> dict[int, Lane]:
    """Return the lane of each study: that of its most urgent image that waits, if one does."""
    found = session.execute(
        select(InstanceRow.study_row, func.min(InstanceRow.lane))
        .where(
            InstanceRow.study_row.in_(study_rows),
            InstanceRow.state == InstanceState.WAITING.value,
        )
        .group_by(InstanceRow.study_row)
    )
    return {study: Lane(lane) for study, lane in found}


def mark_sent(session: Session, study_rows: list[int], now: dt.datetime) -> None:
    """Note that studies were announced, unless a newer image has made them due again later.

    One that another transaction has in hand is announced once more: a worker finds nothing to do.
    """
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.study_row.in_(_free(study_rows, OutboxRow.due_at <= now)))
        .values(sent_at=now, times_sent=OutboxRow.times_sent + 1)
    )


def lost(
    session: Session, now: dt.datetime, *, announced_before: dt.datetime, limit: int = 500
) -> list[int]:
    """Return studies that wait, that no worker holds, and that no message speaks for any more.

    Either their announcement is long past, or it was followed by a claim that has lapsed: the
    message was taken, and its worker died or gave an image back for later.

    Parameters
    ----------
    now
        The present: a claim that runs beyond it is a worker at work.
    announced_before
        An announcement after this may still be on its way.
    """
    forgotten = and_(
        OutboxRow.sent_at < announced_before,
        or_(InstanceRow.claimed_until.is_(None), InstanceRow.claimed_until <= now),
    )
    lapsed = and_(InstanceRow.claimed_until > OutboxRow.sent_at, InstanceRow.claimed_until <= now)
    waits = exists().where(
        InstanceRow.study_row == OutboxRow.study_row,
        InstanceRow.state == InstanceState.WAITING.value,
        or_(forgotten, lapsed),
    )
    return list(
        session.scalars(
            select(OutboxRow.study_row).where(waits).order_by(OutboxRow.sent_at).limit(limit)
        )
    )
