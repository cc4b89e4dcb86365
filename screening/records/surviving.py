"""Who a patient is by now: along the merges that stand, to the identifier that survived.

A study's row names the patient who survived, so that every list, page and search has them; its
images' rows name whom their own headers name, for ever. So a merge can be undone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Executable, and_, bindparam, func, or_, select, text
from sqlalchemy.orm import Session

from screening.records.dialect import Insert
from screening.records.identity_schema import IdentityRow
from screening.records.prepared import Prepared
from screening.records.schema import InstanceRow, PatientRow, StudyRow

_LOCK = 0x5041544945
"""Of PostgreSQL: merges wait for studies that are being filed, and these for merges."""

_MOST_STEPS = 1000


class Identifier(NamedTuple):
    """A PatientID and who issued it; the same number of another issuer is another patient."""

    patient_id: str
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """From a patient's row to that of who they are by now, and the changes on the way."""

    row: int
    changes: tuple[int, ...]


def other_issuer(session: Session, authority: str) -> str | None:
    """Return an issuer that images name, where all name one and none names this authority."""
    issuer = PatientRow.issuer_of_patient_id
    fits = session.scalar(
        select(PatientRow.id).where(or_(issuer.is_(None), issuer == authority)).limit(1)
    )
    return None if fits is not None else session.scalar(select(issuer).limit(1))


def share_identities(connection: Connection) -> None:
    """Let no merge begin before this transaction, which files a study, ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})


def hold_identities(connection: Connection) -> None:
    """Wait for those who file studies, and let none begin before this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def standing_merge(connection: Connection, old: Identifier) -> tuple[int, int] | None:
    """Return number and survivor's row of the merge that stands of an identifier."""
    found = connection.execute(
        select(IdentityRow.id, IdentityRow.survivor_row)
        .where(
            IdentityRow.old_patient_id == old.patient_id,
            func.coalesce(IdentityRow.old_issuer, "") == (old.issuer or ""),
            IdentityRow.study_row.is_(None),
            IdentityRow.undone_at.is_(None),
        )
        .order_by(IdentityRow.id.desc())
        .limit(1)
    ).first()
    return (found[0], found[1]) if found else None


@Prepared
def _find_merge(_: Insert) -> Executable:
    return (
        select(IdentityRow.id)
        .join(PatientRow, PatientRow.patient_id == IdentityRow.old_patient_id)
        .where(
            PatientRow.id == bindparam("patient_row"),
            func.coalesce(IdentityRow.old_issuer, "")
            == func.coalesce(PatientRow.issuer_of_patient_id, ""),
            IdentityRow.study_row.is_(None),
            IdentityRow.undone_at.is_(None),
        )
    )


def was_merged(connection: Connection, patient_row: int) -> bool:
    """Say whether a patient's identifier became another: quickly, for every study that comes."""
    return bool(_find_merge.run(connection, patient_row=patient_row))


def identifier_of(connection: Connection, patient_row: int) -> Identifier | None:
    """Return by what a patient is known, ``None`` where the header had no PatientID."""
    found = connection.execute(
        select(PatientRow.patient_id, PatientRow.issuer_of_patient_id).where(
            PatientRow.id == patient_row
        )
    ).one()
    return Identifier(found[0], found[1]) if found[0] else None


@dataclass(frozen=True, slots=True)
class Named:
    """A name under which an identifier is on record."""

    patient_name: str | None
    birth_date: dt.date | None
    sex: str | None


def names_of(session: Session, known: Identifier) -> list[Named]:
    """Return all names under which an identifier is on record, for a person who compares two."""
    named = PatientRow.patient_name, PatientRow.patient_birth_date, PatientRow.patient_sex
    query = select(*named).where(
        PatientRow.patient_id == known.patient_id,
        func.coalesce(PatientRow.issuer_of_patient_id, "") == (known.issuer or ""),
    )
    return [Named(*row) for row in session.execute(query.distinct().order_by(*named))]


def walk(connection: Connection, patient_row: int) -> Walk:
    """Follow the merges that stand from a patient's row."""
    changes: list[int] = []
    for _ in range(_MOST_STEPS):
        known = identifier_of(connection, patient_row)
        step = standing_merge(connection, known) if known else None
        if step is None:
            break
        changes.append(step[0])
        patient_row = step[1]
    return Walk(patient_row, tuple(changes))


def walk_of_study(connection: Connection, study_row: int, patient_row: int) -> Walk:
    """Follow what holds for one study alone, then the merges."""
    known = identifier_of(connection, patient_row)
    own = connection.execute(
        select(IdentityRow.id, IdentityRow.survivor_row)
        .where(
            IdentityRow.study_row == study_row,
            IdentityRow.undone_at.is_(None),
            IdentityRow.old_patient_id == (known.patient_id if known else ""),
            func.coalesce(IdentityRow.old_issuer, "") == ((known.issuer if known else "") or ""),
        )
        .order_by(IdentityRow.id.desc())
        .limit(1)
    ).first()
    if own is None:
        return walk(connection, patient_row)
    further = walk(connection, own[1])
    return Walk(further.row, (own[0], *further.changes))


def patients_of(session: Session, studies: Sequence[int]) -> Iterator[tuple[int, PatientRow]]:
    """Yield the patients whom the images of some studies name, each once for a study."""
    named = (
        select(InstanceRow.study_row, InstanceRow.patient_row)
        .where(InstanceRow.study_row.in_(studies))
        .distinct()
        .subquery()
    )
    found = session.execute(
        select(named.c.study_row, PatientRow)
        .join(PatientRow, PatientRow.id == named.c.patient_row)
        .order_by(named.c.study_row, PatientRow.id)
    )
    yield from ((study, patient) for study, patient in found)


def count_patients(session: Session, studies: Sequence[int]) -> dict[int, int]:
    """Count the different patients of each study; two who became one are one."""
    if not studies:
        return {}
    connection = session.connection()
    named: dict[int, list[tuple[PatientRow, Walk]]] = {}
    for study, patient in patients_of(session, studies):
        walked = walk_of_study(connection, study, patient.id)
        named.setdefault(study, []).append((patient, walked))
    return {study: _count(connection, found) for study, found in named.items()}


def _count(connection: Connection, named: list[tuple[PatientRow, Walk]]) -> int:
    survived = {identifier_of(connection, each.row) for _, each in named if each.changes}
    different: set[object] = set()
    for patient, walked in named:
        known = identifier_of(connection, walked.row)
        different.add(known if known in survived else patient.id)
    return len(different)


@dataclass(frozen=True, slots=True)
class Reidentified:
    """Who the patient of a study is by now, where its images name another.

    Attributes
    ----------
    formerly
        The identifiers that its images name.
    changes
        Numbers of what was merged or adopted.
    """

    patient_id: str
    issuer_of_patient_id: str | None
    patient_name: str | None
    patient_birth_date: str | None
    patient_sex: str | None
    formerly: tuple[str, ...]
    changes: tuple[int, ...]


def reidentified(session: Session, study_row: int) -> Reidentified | None:
    """Return who a study's patient is by now, ``None`` where they are whom its images name."""
    connection = session.connection()
    current = session.scalars(
        select(PatientRow).join(
            StudyRow, and_(StudyRow.patient_row == PatientRow.id, StudyRow.id == study_row)
        )
    ).one()
    before: list[str] = []
    changes: set[int] = set()
    for _, patient in patients_of(session, [study_row]):
        walked = walk_of_study(connection, study_row, patient.id)
        if walked.changes and walked.row == current.id:
            before.append(patient.patient_id or "")
            changes.update(walked.changes)
    if not changes or not current.patient_id:
        return None
    born = current.patient_birth_date
    return Reidentified(
        patient_id=current.patient_id,
        issuer_of_patient_id=current.issuer_of_patient_id,
        patient_name=current.patient_name,
        patient_birth_date=born.isoformat() if born else None,
        patient_sex=current.patient_sex,
        formerly=tuple(dict.fromkeys(before)),
        changes=tuple(sorted(changes)),
    )
