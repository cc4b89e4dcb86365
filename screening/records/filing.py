"""A patient, a study and a series are found by what a header says, or filed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import cast

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceHeader
from screening.domain.verdict import Verdict
from screening.records.dialect import insert_for
from screening.records.schema import PatientRow, SeriesRow, StudyRow


def file_patient(session: Session, header: InstanceHeader) -> int:
    """Find or file the patient as this header describes them, and return the row."""
    identity = (
        header.patient_id,
        header.issuer_of_patient_id,
        header.patient_name,
        header.patient_birth_date.isoformat() if header.patient_birth_date else None,
        header.patient_sex,
    )
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    session.execute(
        insert_for(session, PatientRow)
        .values(
            identity_digest=digest,
            patient_id=header.patient_id,
            issuer_of_patient_id=header.issuer_of_patient_id,
            patient_name=header.patient_name,
            patient_birth_date=header.patient_birth_date,
            patient_sex=header.patient_sex,
        )
        .on_conflict_do_nothing(index_elements=["identity_digest"])
    )
    return session.scalars(select(PatientRow.id).where(PatientRow.identity_digest == digest)).one()


def file_study(session: Session, header: InstanceHeader, patient_row: int, now: dt.datetime) -> int:
    """Find or file the study, and note that it grew.

    The first image describes the study; a later one adds only what the first left out.
    """
    insert = insert_for(session, StudyRow).values(
        study_instance_uid=header.study_instance_uid,
        patient_row=patient_row,
        accession_number=header.accession_number,
        study_date=header.study_date,
        study_time=header.study_time,
        study_id=header.study_id,
        study_description=header.study_description,
        referring_physician=header.referring_physician,
        institution=header.institution,
        body_part=header.body_part,
        age_years=header.age_years,
        first_received_at=now,
        last_received_at=now,
        verdict=Verdict.WAITING.value,
        revision=0,
    )
    added = {
        name: func.coalesce(getattr(StudyRow, name), insert.excluded[name])
        for name in ("accession_number", "study_date", "study_time", "body_part", "age_years")
    }
    return cast(
        int,
        session.scalar(
            insert.on_conflict_do_update(
                index_elements=["study_instance_uid"],
                set_={"last_received_at": insert.excluded.last_received_at, **added},
            ).returning(StudyRow.id)
        ),
    )


def file_series(session: Session, header: InstanceHeader, study_row: int) -> int:
    """Find or file the series of a study, and return its row."""
    uid = header.series_instance_uid or ""
    session.execute(
        insert_for(session, SeriesRow)
        .values(
            study_row=study_row,
            series_instance_uid=uid,
            modality=header.modality,
            series_number=header.series_number,
            series_description=header.series_description,
            body_part=header.body_part,
            manufacturer=header.manufacturer,
            manufacturer_model=header.manufacturer_model,
            station_name=header.station_name,
        )
        .on_conflict_do_nothing(index_elements=["study_row", "series_instance_uid"])
    )
    return session.scalars(
        select(SeriesRow.id).where(
            SeriesRow.study_row == study_row, SeriesRow.series_instance_uid == uid
        )
    ).one()


def reopen_study(session: Session, study_row: int) -> None:
    """Let a study of which nothing could be scored wait again: it has an image to score."""
    session.execute(
        update(StudyRow)
        .where(StudyRow.id == study_row, StudyRow.verdict == Verdict.NOT_SCORED.value)
        .values(verdict=Verdict.WAITING.value)
    )


def file_study_of_conflict(session: Session, header: InstanceHeader, now: dt.datetime) -> None:
    """Have the study that other bytes name in the list, though it may hold no image of its own."""
    known = session.scalar(
        select(StudyRow.id).where(StudyRow.study_instance_uid == header.study_instance_uid)
    )
    if known is None:
        row = file_study(session, header, file_patient(session, header), now)
        session.execute(
            update(StudyRow).where(StudyRow.id == row).values(verdict=Verdict.NOT_SCORED.value)
        )
