"""An association is opened, counted and closed; a refused one is recorded with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import Connection, Executable, bindparam, or_, update
from sqlalchemy.orm import Session

from screening.records.dialect import Insert
from screening.records.outbox import announce_now
from screening.records.prepared import Prepared
from screening.records.schema import AssociationRow


class Outcome(StrEnum):
    """How an association ended, or that it has not."""

    OPEN = "open"
    RELEASED = "released"
    ABORTED = "aborted"
    REJECTED = "rejected"
    LOST = "lost"


class StoreCount(StrEnum):
    """What became of one C-STORE on an association: the column that counts it."""

    STORED = "stored"
    DUPLICATES = "duplicates"
    CONFLICTS = "conflicts"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, by which title, from where, and which of our listeners answers (host:port)."""

    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    listener: str


def open_association(session: Session, caller: Caller, now: dt.datetime) -> int:
    """Record an association that was admitted, and return its row's number."""
    row = AssociationRow(
        **asdict(caller),
        opened_at=now,
        outcome=Outcome.OPEN.value,
    )
    session.add(row)
    session.flush()
    return row.id


def reject_association(session: Session, caller: Caller, now: dt.datetime, why: str) -> None:
    """Record an association that was refused, with the setting that would admit it."""
    session.add(
        AssociationRow(
            **asdict(caller),
            opened_at=now,
            closed_at=now,
            outcome=Outcome.REJECTED.value,
            explanation=why,
        )
    )


def end_association(
    session: Session,
    row: int,
    *,
    outcome: Outcome,
    now: dt.datetime,
    explanation: str | None,
    study_rows: Collection[int],
) -> None:
    """Record how an association ended, and have the studies that it brought announced."""
    announce_now(session, study_rows, now)
    close_association(session, row, outcome=outcome, now=now, explanation=explanation)


def close_association(
    session: Session,
    row: int,
    *,
    outcome: Outcome,
    now: dt.datetime,
    explanation: str | None = None,
) -> None:
    """Record how an association ended: the first to say so is right, unless it said lost."""
    still_open = AssociationRow.closed_at.is_(None)
    # A listener that drains has left its port to the next one, which takes its callers for lost.
    presumed_lost = AssociationRow.outcome == Outcome.LOST.value
    session.execute(
        update(AssociationRow)
        .where(AssociationRow.id == row, or_(still_open, presumed_lost))
        .values(outcome=outcome.value, closed_at=now, explanation=explanation)
    )


def close_lost_associations(session: Session, listener: str, now: dt.datetime) -> None:
    """Close what an earlier run of this listener left open when it died.

    Parameters
    ----------
    listener
        Its host:port. What its processes of a number (host:port#2) left is closed as well, however
        many there are now.
    """
    ours = or_(
        AssociationRow.listener == listener,
        AssociationRow.listener.startswith(f"{listener}#", autoescape=True),
    )
    session.execute(
        update(AssociationRow)
        .where(AssociationRow.closed_at.is_(None), ours)
        .values(
            outcome=Outcome.LOST.value,
            closed_at=now,
            explanation="the listener stopped while the association was open; "
            "what it had answered 0x0000 is kept, the sender repeats the rest",
        )
    )


def _counting(what: StoreCount) -> Prepared:
    @Prepared
    def count(_: Insert) -> Executable:
        counted = {what.value: getattr(AssociationRow, what.value) + 1}
        return update(AssociationRow).where(AssociationRow.id == bindparam("row")).values(counted)

    return count


_COUNT = {what: _counting(what) for what in StoreCount}


def count_store(connection: Connection, row: int, what: StoreCount) -> None:
    """Count one C-STORE of an association."""
    _COUNT[what].run(connection, row=row)


def count_refusals(session: Session, row: int, refusal: str, number: int = 1) -> None:
    """Count C-STOREs of an association that were refused, and keep the reason of the last."""
    session.execute(
        update(AssociationRow)
        .where(AssociationRow.id == row)
        .values(refused=AssociationRow.refused + number, last_refusal=refusal)
    )
