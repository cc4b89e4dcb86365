"""Whose a study is: its row follows the changes that stand, from whom its images name."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from screening.domain.search_words import words_of
from screening.errors import IdentityError
from screening.records.dialect import insert_for
from screening.records.identity_schema import ConflictPatientRow, IdentityRow
from screening.records.list_schema import StudyWordRow
from screening.records.schema import ConflictRow, InstanceRow, PatientRow, StudyRow
from screening.records.surviving import Identifier, walk_of_study


def settle(session: Session, study_row: int) -> None:
    """Have a study's row name the patient that its changes lead to, and be found by them."""
    connection = session.connection()
    original = original_patient(session, study_row)
    current = session.scalar(select(StudyRow.patient_row).where(StudyRow.id == study_row))
    if original is None or current is None:
        return
    row = walk_of_study(connection, study_row, original).row
    if row == current:
        return
    session.execute(update(StudyRow).where(StudyRow.id == study_row).values(patient_row=row))
    own, old, new = (_words(session, study_row, each) for each in (original, current, row))
    gone = old - own - new
    session.execute(
        delete(StudyWordRow).where(StudyWordRow.study_row == study_row, StudyWordRow.word.in_(gone))
    )
    for word in new:
        adding = insert_for(session, StudyWordRow).values(study_row=study_row, word=word)
        keys = ["study_row", "word"]
        session.execute(adding.on_conflict_do_nothing(index_elements=keys))


def _words(session: Session, study_row: int, patient_row: int) -> set[str]:
    patient = session.get_one(PatientRow, patient_row)
    accession = session.scalar(select(StudyRow.accession_number).where(StudyRow.id == study_row))
    return words_of(patient.patient_name, patient.patient_id) | words_of(accession)


def settle_all(session: Session, old: Identifier) -> int:
    """Settle every study that an identifier, or one that leads to it, has to do with."""
    patients = _upstream(session, old)
    studies = {
        *session.scalars(
            select(InstanceRow.study_row).where(InstanceRow.patient_row.in_(patients)).distinct()
        ),
        *session.scalars(select(StudyRow.id).where(StudyRow.patient_row.in_(patients))),
        *session.scalars(
            select(IdentityRow.study_row).where(
                IdentityRow.study_row.is_not(None), IdentityRow.survivor_row.in_(patients)
            )
        ),
        *session.scalars(
            select(StudyRow.id)
            .join(ConflictRow, ConflictRow.study_instance_uid == StudyRow.study_instance_uid)
            .join(ConflictPatientRow, ConflictPatientRow.conflict_row == ConflictRow.id)
            .where(ConflictPatientRow.patient_row.in_(patients), StudyRow.images_received == 0)
        ),
    }
    for study in sorted(study for study in studies if study is not None):
        settle(session, study)
    return len(studies)


def _upstream(session: Session, old: Identifier) -> list[int]:
    """Return the rows of all patients who are, or by merges become, an identifier's."""
    found: set[int] = set()
    open_ = [old]
    seen: set[Identifier] = set()
    while open_:
        known = open_.pop()
        if known in seen:
            continue
        seen.add(known)
        rows = session.scalars(select(PatientRow.id).where(*is_identifier(known))).all()
        found.update(rows)
        merged = select(IdentityRow.old_patient_id, IdentityRow.old_issuer).where(
            IdentityRow.survivor_row.in_(rows),
            IdentityRow.study_row.is_(None),
            IdentityRow.undone_at.is_(None),
        )
        open_.extend(Identifier(*each) for each in session.execute(merged))
    return sorted(found)


def is_identifier(known: Identifier) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions by which a patient's row has an identifier."""
    return (
        PatientRow.patient_id == known.patient_id,
        func.coalesce(PatientRow.issuer_of_patient_id, "") == (known.issuer or ""),
    )


def original_patient(session: Session, study_row: int) -> int | None:
    """Return the patient whom a study's first image names, or its first other bytes."""
    first = session.scalar(
        select(InstanceRow.patient_row)
        .where(InstanceRow.study_row == study_row)
        .order_by(InstanceRow.id)
        .limit(1)
    )
    if first is not None:
        return first
    return session.scalar(
        select(ConflictPatientRow.patient_row)
        .join(ConflictRow, ConflictRow.id == ConflictPatientRow.conflict_row)
        .join(StudyRow, StudyRow.study_instance_uid == ConflictRow.study_instance_uid)
        .where(StudyRow.id == study_row)
        .order_by(ConflictRow.id)
        .limit(1)
    )


def find_study(session: Session, study_instance_uid: str) -> tuple[int, int]:
    """Return a study's row, and the patient whom its images name."""
    study = session.scalar(
        select(StudyRow.id).where(StudyRow.study_instance_uid == study_instance_uid)
    )
    original = original_patient(session, study) if study is not None else None
    if study is None or original is None:
        raise IdentityError("no image of this study was received")
    return study, original
