"""The list of cases: which studies to look at, most urgent first.

The same query serves the console, the page and the REST interface.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict
from screening.records.case_filter import CaseFilter, Cursor, page_of_rows
from screening.records.schema import (
    ConflictRow,
    ExclusionRow,
    InstanceRow,
    PatientRow,
    RevisionRow,
    StudyRow,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One study as a line of the list.

    Attributes
    ----------
    score
        The highest probability of a fracture among its scored images, in [0, 1].
    images_received, images_scored, images_not_scored, images_waiting
        The first is the sum of the other three.
    reasons
        How many of its images were not scored for each reason.
    conflicts
        How many data sets in conflict name this study or hold the UID of one of its images.
    patients
        How many different patients its images name; more than one is a mix-up to look into.
    model, model_version
        Behind the newest revision of the verdict; ``None`` before the first.
    lane
        The most urgent of its images.
    calling_ae_title
        Who sent its first image.
    review
        The opinion of its newest review; ``None`` before the first.
    cursor
        Where it stands in the list, for the page that begins behind it.
    """

    study_instance_uid: str
    verdict: Verdict
    score: float | None
    patient_name: str | None
    patient_id: str | None
    patient_sex: str | None
    age_years: float | None
    accession_number: str | None
    body_part: str | None
    study_date: dt.date | None
    study_time: dt.time | None
    study_description: str | None
    images_received: int
    images_scored: int
    images_not_scored: int
    images_waiting: int
    reasons: Mapping[str, int]
    conflicts: int
    patients: int
    model: str | None
    model_version: str | None
    revision: int
    received_at: dt.datetime
    decided_at: dt.datetime | None
    lane: Lane
    calling_ae_title: str | None
    review: Opinion | None
    cursor: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Every image that was answered 0x0000, by where it stands; it always adds up.

    Attributes
    ----------
    received
        The sum of the next three.
    reasons
        How many were not scored for each reason.
    conflicts
        Other data sets that came under the UID of an image that we hold.
    oldest_waiting_since
        When the image came that waits longest, whatever the rest is counted from.
    """

    received: int
    scored: int
    not_scored: int
    waiting: int
    reasons: Mapping[str, int]
    conflicts: int
    oldest_waiting_since: dt.datetime | None


def list_cases(
    session: Session,
    wanted: CaseFilter = CaseFilter(),  # noqa: B008 - frozen
    *,
    limit: int | None = 50,
    after: Cursor | None = None,
) -> list[Case]:
    """Return studies, most urgent first, by the rule of `screening.domain.triage`.

    Parameters
    ----------
    session
        An open transaction.
    wanted
        Which studies; by default the flagged ones.
    limit
        At most so many; ``None`` for all.
    after
        Where the page before ended: :class:`Cursor` of its last case.
    """
    rows = page_of_rows(session, wanted, limit, after).subquery()
    query = _studies().join(rows, rows.c.id == StudyRow.id).order_by(rows.c.place, rows.c.id)
    return _cases(session, query)


def find_case(session: Session, study_instance_uid: str) -> Case | None:
    """Return one study as a line of the list, or ``None`` if we never received it."""
    query = _studies().where(StudyRow.study_instance_uid == study_instance_uid)
    return next(iter(_cases(session, query)), None)


def cases_of_rows(session: Session, rows: Sequence[int]) -> list[Case]:
    """Return studies by their rows, in the order of these."""
    place = {row: index for index, row in enumerate(rows)}
    found = _cases(session, _studies().where(StudyRow.id.in_(rows)))
    return sorted(found, key=lambda case: place[Cursor.parse(case.cursor).row])


def tally(session: Session, since: dt.datetime | None = None) -> Tally:
    """Count every image that we ever acknowledged, or those that came ``since`` a moment."""
    images = select(InstanceRow.state, func.count()).group_by(InstanceRow.state)
    reasons = select(ExclusionRow.reason, func.count()).group_by(ExclusionRow.reason)
    conflicts = select(func.count()).select_from(ConflictRow)
    if since is not None:
        images = images.where(InstanceRow.received_at >= since)
        reasons = reasons.join(InstanceRow, InstanceRow.id == ExclusionRow.instance_row).where(
            InstanceRow.received_at >= since
        )
        conflicts = conflicts.where(ConflictRow.received_at >= since)
    states = dict(session.execute(images).all())
    return Tally(
        received=sum(states.values()),
        scored=states.get(InstanceState.SCORED, 0),
        not_scored=states.get(InstanceState.NOT_SCORED, 0),
        waiting=states.get(InstanceState.WAITING, 0),
        reasons=dict(session.execute(reasons).all()),
        conflicts=session.scalar(conflicts) or 0,
        oldest_waiting_since=session.scalar(
            select(InstanceRow.received_at)
            .where(InstanceRow.state == InstanceState.WAITING.value)
            .order_by(InstanceRow.received_at)
            .limit(1)
        ),
    )


_Selected = Select[StudyRow, PatientRow, RevisionRow]


def _studies() -> _Selected:
    return (
        select(StudyRow, PatientRow, RevisionRow)
        .join(PatientRow, PatientRow.id == StudyRow.patient_row)
        .outerjoin(
            RevisionRow,
            (RevisionRow.study_row == StudyRow.id) & (RevisionRow.revision == StudyRow.revision),
        )
    )


def _cases(session: Session, query: _Selected) -> list[Case]:
    found = session.execute(query).all()
    studies = [study.id for study, _, _ in found]
    reasons = _reasons(session, [study.id for study, _, _ in found if study.images_not_scored])
    conflicts = _conflicts(session, studies)
    patients = _patients(session, studies)
    return [
        _case(
            study,
            patient,
            revision,
            reasons.get(study.id, {}),
            conflicts.get(study.id, 0),
            patients.get(study.id, 1),
        )
        for study, patient, revision in found
    ]


def _reasons(session: Session, studies: Sequence[int]) -> dict[int, dict[str, int]]:
    """Count the images of each study that have no score, by reason."""
    if not studies:
        return {}
    query = (
        select(InstanceRow.study_row, ExclusionRow.reason, func.count())
        .join(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
        .where(InstanceRow.study_row.in_(studies))
        .group_by(InstanceRow.study_row, ExclusionRow.reason)
    )
    counted: dict[int, dict[str, int]] = {}
    for study, reason, count in session.execute(query):
        counted.setdefault(study, {})[reason] = count
    return counted


def _conflicts(session: Session, studies: Sequence[int]) -> dict[int, int]:
    query = (
        select(StudyRow.id, func.count(ConflictRow.id.distinct()))
        .select_from(ConflictRow)
        .join(InstanceRow, InstanceRow.id == ConflictRow.instance_row)
        .join(
            StudyRow,
            (StudyRow.id == InstanceRow.study_row)
            | (StudyRow.study_instance_uid == ConflictRow.study_instance_uid),
        )
        .where(StudyRow.id.in_(studies))
        .group_by(StudyRow.id)
    )
    return dict(session.execute(query).all())


def _patients(session: Session, studies: Sequence[int]) -> dict[int, int]:
    query = (
        select(InstanceRow.study_row, func.count(InstanceRow.patient_row.distinct()))
        .where(InstanceRow.study_row.in_(studies))
        .group_by(InstanceRow.study_row)
    )
    return dict(session.execute(query).all())


def _case(
    study: StudyRow,
    patient: PatientRow,
    revision: RevisionRow | None,
    reasons: Mapping[str, int],
    conflicts: int,
    patients: int,
) -> Case:
    return Case(
        study_instance_uid=study.study_instance_uid,
        verdict=Verdict(study.verdict),
        score=study.top_probability,
        patient_name=patient.patient_name,
        patient_id=patient.patient_id,
        patient_sex=patient.patient_sex,
        age_years=study.age_years,
        accession_number=study.accession_number,
        body_part=study.body_part,
        study_date=study.study_date,
        study_time=study.study_time,
        study_description=study.study_description,
        images_received=study.images_received,
        images_scored=study.images_scored,
        images_not_scored=study.images_not_scored,
        images_waiting=study.images_received - study.images_scored - study.images_not_scored,
        reasons=reasons,
        conflicts=conflicts,
        patients=patients,
        model=revision.model_name if revision else None,
        model_version=revision.model_version if revision else None,
        revision=study.revision,
        received_at=study.first_received_at,
        decided_at=revision.decided_at if revision else None,
        lane=Lane(study.lane),
        calling_ae_title=study.calling_ae_title,
        review=Opinion(study.review) if study.review else None,
        cursor=str(Cursor(study.place, study.id)),
    )
