"""Other bytes that came under the UID of an image: kept apart, and told."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.records.adoption import is_settled
from screening.records.identity_schema import ConflictPatientRow
from screening.records.schema import AssociationRow, ConflictRow, InstanceRow, PatientRow


class ConflictKind(StrEnum):
    """What other bytes are: another image, or the same one with its patient corrected."""

    OTHER_BYTES = "other_bytes"
    OTHER_PATIENT = "other_patient"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Other bytes that came under the SOP Instance UID of an image that we hold.

    The patient is whom they name, the kind ``other_patient`` where that is not the image's, and
    ``adopted`` where the study is theirs by now.
    """

    sop_instance_uid: str
    study_instance_uid: str
    held_digest: str
    digest: str
    size_bytes: int
    received_at: dt.datetime
    calling_ae_title: str
    kind: ConflictKind
    patient_id: str | None


def conflicts_of(session: Session, study: int, study_instance_uid: str) -> tuple[Conflict, ...]:
    """Return conflicts over this study's images and those whose other bytes name this study."""
    found = session.execute(
        select(ConflictRow, InstanceRow, AssociationRow.calling_ae_title, PatientRow)
        .join(InstanceRow, InstanceRow.id == ConflictRow.instance_row)
        .join(AssociationRow, AssociationRow.id == ConflictRow.association_row)
        .outerjoin(ConflictPatientRow, ConflictPatientRow.conflict_row == ConflictRow.id)
        .outerjoin(PatientRow, PatientRow.id == ConflictPatientRow.patient_row)
        .where(
            (InstanceRow.study_row == study)
            | (ConflictRow.study_instance_uid == study_instance_uid)
        )
        .order_by(ConflictRow.id)
    ).all()
    settled = bool(found) and is_settled(session, study_instance_uid)
    return tuple(
        Conflict(
            sop_instance_uid=held.sop_instance_uid,
            study_instance_uid=row.study_instance_uid,
            held_digest=held.digest,
            digest=row.digest,
            size_bytes=row.size_bytes,
            received_at=row.received_at,
            calling_ae_title=calling,
            kind=_kind(held, patient, settled=settled),
            patient_id=patient.patient_id if patient else None,
        )
        for row, held, calling, patient in found
    )


def _kind(held: InstanceRow, named: PatientRow | None, *, settled: bool) -> ConflictKind:
    if named is None or named.id == held.patient_row:
        return ConflictKind.OTHER_BYTES
    return ConflictKind.ADOPTED if settled else ConflictKind.OTHER_PATIENT
