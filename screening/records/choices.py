"""What a filter can be set to: the body parts and senders that studies have."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from screening.records.schema import StudyRow

_MOST = 200


def body_parts(session: Session) -> list[str]:
    """Return the body parts of all studies, in the order of the alphabet."""
    return _values(session, StudyRow.body_part)


def senders(session: Session) -> list[str]:
    """Return the calling AE titles of all studies, in the order of the alphabet."""
    return _values(session, StudyRow.calling_ae_title)


def _values(session: Session, column: InstrumentedAttribute[str | None]) -> list[str]:
    """Go from each value to the next one by the column's index: a million studies have few."""
    found: list[str] = []
    value = session.scalar(select(func.min(column)))
    while value is not None and len(found) < _MOST:
        if value:
            found.append(value)
        value = session.scalar(select(func.min(column)).where(column > value))
    return found
