"""Other studies of the same patient."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.records.cases import Case, cases_of_rows
from screening.records.schema import PatientRow, StudyRow

_MOST = 20


def priors(session: Session, study_instance_uid: str) -> list[Case]:
    """Return other studies that name the same patient by identifier and issuer, newest first."""
    patient = session.execute(
        select(PatientRow.patient_id, PatientRow.issuer_of_patient_id)
        .join(StudyRow, StudyRow.patient_row == PatientRow.id)
        .where(StudyRow.study_instance_uid == study_instance_uid)
    ).one_or_none()
    if patient is None or not patient.patient_id:
        return []
    issuer = PatientRow.issuer_of_patient_id
    same_issuer = (
        issuer.is_(None)
        if patient.issuer_of_patient_id is None
        else issuer == patient.issuer_of_patient_id
    )
    rows = session.scalars(
        select(StudyRow.id)
        .join(PatientRow, PatientRow.id == StudyRow.patient_row)
        .where(
            PatientRow.patient_id == patient.patient_id,
            same_issuer,
            StudyRow.study_instance_uid != study_instance_uid,
        )
        .order_by(StudyRow.study_date.desc().nulls_last(), StudyRow.id.desc())
        .limit(_MOST)
    ).all()
    return cases_of_rows(session, rows)
