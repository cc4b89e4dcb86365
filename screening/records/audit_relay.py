"""What of the audit has not been sent to the hospital's audit repository, and whose turn it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from screening.records.audit import AuditEntry, read_onwards
from screening.records.desk_schema import AuditRelayRow, AuditRow
from screening.records.dialect import insert_for
from screening.records.schema import PatientRow, StudyRow

_ROW = 1


@dataclass(frozen=True, slots=True)
class Unsent:
    """An entry that is to be sent.

    Attributes
    ----------
    patient_id
        Of the study that it concerns; ``None`` where it concerns none that we hold.
    """

    entry: AuditEntry
    patient_id: str | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How many entries have not been sent, and since when the oldest of them stands there."""

    entries: int
    since: dt.datetime | None


def take_turn(session: Session, who: str, now: dt.datetime, until: dt.datetime) -> bool:
    """Have or keep the turn to send, for a while; say whether it is ours.

    Parameters
    ----------
    who
        A name that no other relay has.
    """
    session.execute(
        insert_for(session, AuditRelayRow).values(id=_ROW, sent=0).on_conflict_do_nothing()
    )
    is_free = or_(
        AuditRelayRow.held_by.is_(None),
        AuditRelayRow.held_by == who,
        AuditRelayRow.held_until < now,
    )
    return _changed(session, is_free, held_by=who, held_until=until)


def give_turn_back(session: Session, who: str) -> None:
    """Let another relay begin at once."""
    _changed(session, AuditRelayRow.held_by == who, held_by=None, held_until=None)


def note_sent(session: Session, who: str, number: int, now: dt.datetime) -> bool:
    """Record that all entries up to one were sent; false if it was no longer our turn."""
    return _changed(session, AuditRelayRow.held_by == who, sent=number, sent_at=now)


def _changed(session: Session, condition: object, **values: object) -> bool:
    statement = update(AuditRelayRow).where(AuditRelayRow.id == _ROW, condition)  # type: ignore[arg-type]
    done = session.execute(statement.values(**values))
    assert isinstance(done, CursorResult)
    return bool(done.rowcount)


def read_unsent(session: Session, limit: int) -> list[Unsent]:
    """Return the oldest entries that have not been sent, in their order."""
    entries = read_onwards(session, _sent(session), limit)
    studies = {entry.study_instance_uid for entry in entries if entry.study_instance_uid}
    found = session.execute(
        select(StudyRow.study_instance_uid, PatientRow.patient_id)
        .join(PatientRow, PatientRow.id == StudyRow.patient_row)
        .where(StudyRow.study_instance_uid.in_(studies))
    )
    patients = {uid: patient_id or "" for uid, patient_id in found}
    return [Unsent(entry, patients.get(entry.study_instance_uid or "")) for entry in entries]


def read_lag(session: Session) -> Lag:
    """Count what has not been sent."""
    entries, since = session.execute(
        select(func.count(), func.min(AuditRow.at)).where(AuditRow.id > _sent(session))
    ).one()
    return Lag(entries, since)


def _sent(session: Session) -> int:
    return session.scalar(select(AuditRelayRow.sent).where(AuditRelayRow.id == _ROW)) or 0
