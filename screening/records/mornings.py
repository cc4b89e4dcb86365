"""On which mornings a report went out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from screening.records.dialect import insert_for
from screening.records.night_schema import MorningRow


@dataclass(frozen=True, slots=True)
class Morning:
    """A morning on which a report is to go out, taken by whoever sends it."""

    row: int
    attempts: int


def take_morning(
    session: Session, name: str, day: dt.date, now: dt.datetime, lease: dt.timedelta
) -> Morning | None:
    """Take a morning whose report is to be sent now; ``None`` if it was, or is being, or waits.

    Parameters
    ----------
    session
        An open transaction that writes.
    lease
        For how long nobody else takes it.
    """
    new = insert_for(session, MorningRow).values(name=name, day=day, due_at=now, attempts=0)
    session.execute(new.on_conflict_do_nothing(index_elements=["name", "day"]))
    taken = session.execute(
        update(MorningRow)
        .where(
            MorningRow.name == name,
            MorningRow.day == day,
            MorningRow.sent_at.is_(None),
            MorningRow.due_at <= now,
        )
        .values(due_at=now + lease, attempts=MorningRow.attempts + 1)
        .returning(MorningRow.id, MorningRow.attempts)
    ).first()
    return Morning(*taken) if taken is not None else None


def settle_morning(
    session: Session,
    morning: Morning,
    *,
    sent_at: dt.datetime | None = None,
    due_at: dt.datetime | None = None,
    error: str | None = None,
) -> None:
    """Record that a report went out, or when it is tried again and why."""
    values: dict[str, object] = {"sent_at": sent_at, "last_error": error}
    if due_at is not None:
        values["due_at"] = due_at
    session.execute(update(MorningRow).where(MorningRow.id == morning.row).values(**values))


def newest_morning(session: Session, name: str) -> dt.date | None:
    """Return the newest day on which a report went out or was tried."""
    newest = select(MorningRow.day).where(MorningRow.name == name).order_by(MorningRow.day.desc())
    return session.scalar(newest.limit(1))
