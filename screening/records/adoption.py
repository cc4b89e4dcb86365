"""A study that came again for another patient is made theirs, by somebody who says why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from screening.domain.account import Actor
from screening.errors import IdentityError
from screening.records import audit
from screening.records.identities import Change, add_change, checked_reason, read_change
from screening.records.identity_schema import ConflictPatientRow
from screening.records.schema import ConflictRow, InstanceRow, StudyRow
from screening.records.study_patients import find_study, settle
from screening.records.surviving import hold_identities, identifier_of, walk


def adopt(
    session: Session, study_instance_uid: str, actor: Actor, why: str, now: dt.datetime
) -> Change:
    """Make a study the patient's whom the images name that came again under its UIDs.

    Whoever calls has seen that nothing but the header is another.

    Raises
    ------
    IdentityError
        If there is no such study, or no such images, or they name several patients.
    """
    why = checked_reason(why)
    connection = session.connection()
    hold_identities(connection)
    study, original = find_study(session, study_instance_uid)
    named = {each.patient_row for each in came_again(session, study_instance_uid)}
    if not named:
        raise IdentityError("no image of this study came again with another patient")
    if is_settled(session, study_instance_uid):
        raise IdentityError("the study is theirs already: nightread patient list names the change")
    if len(named) > 1:
        raise IdentityError(
            f"images of this study came again for {len(named)} patients: have the PACS send it "
            "once more, whole, or merge the patients"
        )
    old = identifier_of(connection, original)
    (survivor,) = named
    if old is None or identifier_of(connection, survivor) is None:
        raise IdentityError("one of the two patients has no PatientID: nothing can be adopted")
    row = add_change(session, old, survivor, study, actor, why, now)
    settle(session, study)
    uid = study_instance_uid
    detail = f"change {row.id}: {why}"
    event = audit.Event.IDENTITY_ADOPTED
    audit.note(session, actor, event, now, study_instance_uid=uid, detail=detail)
    return read_change(session, row.id, is_new=True, studies=1)


@dataclass(frozen=True, slots=True)
class CameAgain:
    """Bytes of an image that came again for another patient than the image's."""

    held_digest: str
    digest: str
    patient_row: int


def came_again(session: Session, study_instance_uid: str) -> list[CameAgain]:
    """Return what came again for another patient, of each image what came last."""
    found = session.execute(
        select(InstanceRow.id, InstanceRow.digest, ConflictRow.digest, ConflictPatientRow)
        .join(ConflictRow, ConflictRow.instance_row == InstanceRow.id)
        .join(ConflictPatientRow, ConflictPatientRow.conflict_row == ConflictRow.id)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(
            StudyRow.study_instance_uid == study_instance_uid,
            ConflictRow.study_instance_uid == study_instance_uid,
            ConflictPatientRow.patient_row != InstanceRow.patient_row,
        )
        .order_by(ConflictRow.id)
    )
    last = {image: CameAgain(held, also, of.patient_row) for image, held, also, of in found}
    return list(last.values())


def changed_studies(session: Session) -> list[str]:
    """Return the UIDs of studies that came again for another patient, and are not theirs yet."""
    found = session.execute(_named_another()).all()
    return [uid for _, uid in found if not is_settled(session, uid)]


def unsettled(session: Session, rows: Collection[int]) -> set[int]:
    """Return which of some studies, by their rows, came again for a patient whose they are not."""
    found = session.execute(_named_another().where(StudyRow.id.in_(rows)))
    return {row for row, uid in found.all() if not is_settled(session, uid)}


def _named_another() -> Select[int, str]:
    """Return what finds the studies of which an image ever came again for another patient."""
    return (
        select(StudyRow.id, StudyRow.study_instance_uid)
        .join(InstanceRow, InstanceRow.study_row == StudyRow.id)
        .join(ConflictRow, ConflictRow.instance_row == InstanceRow.id)
        .join(ConflictPatientRow, ConflictPatientRow.conflict_row == ConflictRow.id)
        .where(
            ConflictPatientRow.patient_row != InstanceRow.patient_row,
            ConflictPatientRow.patient_row != StudyRow.patient_row,
            ConflictRow.study_instance_uid == StudyRow.study_instance_uid,
        )
        .distinct()
    )


def is_settled(session: Session, study_instance_uid: str) -> bool:
    """Say whether a study's patient is whom the images name that came again."""
    connection = session.connection()
    of_study = session.scalar(
        select(StudyRow.patient_row).where(StudyRow.study_instance_uid == study_instance_uid)
    )
    named = {each.patient_row for each in came_again(session, study_instance_uid)}
    if of_study is None or named <= {of_study}:
        return True
    known = identifier_of(connection, of_study)
    _, original = find_study(session, study_instance_uid)
    was = identifier_of(connection, original)
    return known != was and all(
        identifier_of(connection, walk(connection, row).row) == known for row in named
    )
