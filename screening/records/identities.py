"""Patients become one, and what was changed is undone: rows, and no files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.account import Actor
from screening.domain.counted import counted
from screening.errors import IdentityError
from screening.records import audit
from screening.records.filing import Demographics, file_identity
from screening.records.identity_schema import IdentityRow
from screening.records.schema import PatientRow, StudyRow
from screening.records.study_patients import is_identifier, settle, settle_all
from screening.records.surviving import (
    Identifier,
    hold_identities,
    identifier_of,
    standing_merge,
    walk,
)

LONGEST = 256
"""Characters of an identifier and of a reason."""


@dataclass(frozen=True, slots=True)
class Change:
    """A changed identity.

    Attributes
    ----------
    number
        Of the change: `undo` names it.
    study_instance_uid
        Of the one study that it holds for; ``None`` where the patients are one.
    is_new
        Whether it was made now, and did not stand before.
    studies
        How many studies have another patient for it.
    """

    number: int
    old: Identifier
    new: Identifier
    study_instance_uid: str | None
    made_by: str
    why: str
    made_at: dt.datetime
    undone_by: str | None
    undone_at: dt.datetime | None
    is_new: bool = False
    studies: int = 0


def merge(
    session: Session,
    old: Identifier,
    new: Identifier,
    actor: Actor,
    why: str,
    now: dt.datetime,
    *,
    demographics: Demographics | None = None,
) -> Change:
    """Make two patients one: whatever names the old identifier is the new one's from now on.

    It holds for studies that come later, and where no study of either is here.

    Parameters
    ----------
    session
        An open transaction that writes.
    demographics
        Of who survives; ``None`` for those that are on record.

    Raises
    ------
    IdentityError
        If the two are one, the old one was merged into another, or the new one into the old.
    """
    old, new = checked_identifier(old), checked_identifier(new)
    why = checked_reason(why)
    connection = session.connection()
    hold_identities(connection)
    if old == new:
        raise IdentityError("the two identifiers are the same: there is nothing to merge")
    stands = standing_merge(connection, old)
    if stands is not None:
        if identifier_of(connection, stands[1]) == new:
            return read_change(session, stands[0])
        raise IdentityError(
            f"the old identifier was merged into another before (change {stands[0]}): undo that "
            f"with nightread patient undo {stands[0]} --why ..., or merge the one that survived"
        )
    survivor = _survivor(session, old, new, demographics)
    ahead = walk(connection, survivor)
    if identifier_of(connection, ahead.row) == old:
        raise IdentityError(
            f"the new identifier was merged into the old one before (change {ahead.changes[0]}): "
            f"undo that first, with nightread patient undo {ahead.changes[0]} --why ..."
        )
    row = add_change(session, old, survivor, None, actor, why, now)
    studies = settle_all(session, old)
    detail = f"change {row.id}, {counted(studies, 'study', 'studies')}: {why}"
    audit.note(session, actor, audit.Event.PATIENTS_MERGED, now, detail=detail)
    return read_change(session, row.id, is_new=True, studies=studies)


def undo(session: Session, number: int, actor: Actor, why: str, now: dt.datetime) -> Change:
    """Let a change hold no more; each study is again whose its images say, or its other changes.

    Raises
    ------
    IdentityError
        If there is no such change, or it was undone.
    """
    why = checked_reason(why)
    hold_identities(session.connection())
    row = session.get(IdentityRow, number)
    if row is None or row.undone_at is not None:
        what = "was undone before" if row is not None else "is not on record"
        raise IdentityError(f"change {number} {what}: nightread patient list shows all")
    row.undone_at, row.undone_by = now, actor.name
    session.flush()
    if row.study_row is not None:
        settle(session, row.study_row)
        studies = 1
    else:
        studies = settle_all(session, Identifier(row.old_patient_id, row.old_issuer))
    detail = f"change {number}, {counted(studies, 'study', 'studies')}: {why}"
    audit.note(session, actor, audit.Event.IDENTITY_UNDONE, now, detail=detail)
    return read_change(session, number, studies=studies)


def list_changes(session: Session, limit: int | None = None) -> list[Change]:
    """Return all changes, the newest first, those that were undone included."""
    query = select(IdentityRow.id).order_by(IdentityRow.id.desc()).limit(limit)
    return [read_change(session, number) for number in session.scalars(query).all()]


def _survivor(
    session: Session, old: Identifier, new: Identifier, demographics: Demographics | None
) -> int:
    """Return the row of who survives, as told, else as last seen, else as the other was."""
    if demographics is None:
        for known in (new, old):
            last = (
                select(PatientRow)
                .where(*is_identifier(known))
                .order_by(PatientRow.id.desc())
                .limit(1)
            )
            found = session.scalars(last).first()
            if found is not None and known == new:
                return found.id
            if found is not None:
                demographics = Demographics(
                    found.patient_name, found.patient_birth_date, found.patient_sex
                )
                break
    return file_identity(
        session.connection(), new.patient_id, new.issuer, demographics or Demographics()
    )


def add_change(
    session: Session,
    old: Identifier,
    survivor: int,
    study: int | None,
    actor: Actor,
    why: str,
    now: dt.datetime,
) -> IdentityRow:
    """Write that an identifier became a patient's; of one study, or of all."""
    row = IdentityRow(
        old_patient_id=old.patient_id,
        old_issuer=old.issuer,
        survivor_row=survivor,
        study_row=study,
        made_by=actor.name,
        why=why,
        made_at=now,
    )
    session.add(row)
    session.flush()
    return row


def read_change(session: Session, number: int, *, is_new: bool = False, studies: int = 0) -> Change:
    """Return a change by its number."""
    row, uid, patient = session.execute(
        select(IdentityRow, StudyRow.study_instance_uid, PatientRow)
        .join(PatientRow, PatientRow.id == IdentityRow.survivor_row)
        .outerjoin(StudyRow, StudyRow.id == IdentityRow.study_row)
        .where(IdentityRow.id == number)
    ).one()
    return Change(
        number=row.id,
        old=Identifier(row.old_patient_id, row.old_issuer),
        new=Identifier(patient.patient_id or "", patient.issuer_of_patient_id),
        study_instance_uid=uid,
        made_by=row.made_by,
        why=row.why,
        made_at=row.made_at,
        undone_by=row.undone_by,
        undone_at=row.undone_at,
        is_new=is_new,
        studies=studies,
    )


def checked_identifier(known: Identifier) -> Identifier:
    """Return an identifier without blanks around it.

    Raises
    ------
    IdentityError
        If it is empty, too long, or holds what cannot be printed.
    """
    parts = known.patient_id.strip(), (known.issuer or "").strip()
    if not parts[0] or any(len(part) > LONGEST or not part.isprintable() for part in parts):
        raise IdentityError(
            f"an identifier has 1 to {LONGEST} characters, and none of them is a control character"
        )
    return Identifier(parts[0], parts[1] or None)


def checked_reason(why: str) -> str:
    """Return a reason without blanks around it.

    Raises
    ------
    IdentityError
        If there is none, or it is too long or of several lines.
    """
    why = why.strip()
    if not 0 < len(why) <= LONGEST or not why.isprintable():
        raise IdentityError(f"say why, on one line of at most {LONGEST} characters")
    return why
