"""The list of cases: which studies to look at, most urgent first.

The same query serves the console, the page and the REST interface.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


_Selected = Select[*tuple[Any, ...]]

# Columns and no objects of the tables: for a page these cost more than the database.
_STUDY = (
    StudyRow.id,
    StudyRow.place,
    StudyRow.study_instance_uid,
    StudyRow.verdict,
    StudyRow.top_probability,
    StudyRow.age_years,
    StudyRow.accession_number,
    StudyRow.body_part,
    StudyRow.study_date,
    StudyRow.study_time,
    StudyRow.study_description,
    StudyRow.images_received,
    StudyRow.images_scored,
    StudyRow.images_not_scored,
    StudyRow.revision,
    StudyRow.first_received_at,
    StudyRow.lane,
    StudyRow.calling_ae_title,
    StudyRow.review,
)
_PATIENT = (PatientRow.patient_name, PatientRow.patient_id, PatientRow.patient_sex)
_REVISION = (RevisionRow.model_name, RevisionRow.model_version, RevisionRow.decided_at)


def _studies() -> _Selected:
    held = InstanceRow.study_row == StudyRow.id
    patients = select(func.count(InstanceRow.patient_row.distinct())).where(held)
    return (
        select(
            *_STUDY,
            *_PATIENT,
            *_REVISION,
            patients.correlate(StudyRow).scalar_subquery().label("patients"),
        )
        .join(PatientRow, PatientRow.id == StudyRow.patient_row)
        .outerjoin(
            RevisionRow,
            (RevisionRow.study_row == StudyRow.id) & (RevisionRow.revision == StudyRow.revision),
        )
    )


def _cases(session: Session, query: _Selected) -> list[Case]:
    found = session.execute(query).all()
    reasons = _reasons(session, [row.id for row in found if row.images_not_scored])
    conflicts = _conflicts(session, [row.id for row in found]) if _any_conflict(session) else {}
    return [_case(row, reasons.get(row.id, {}), conflicts.get(row.id, 0)) for row in found]


def _any_conflict(session: Session) -> bool:
    """Say whether there is any in the records at all: mostly there is none to look for."""
    return session.scalar(select(ConflictRow.id).limit(1)) is not None


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


def _case(row: Any, reasons: Mapping[str, int], conflicts: int) -> Case:  # noqa: ANN401 - a row
    return Case(
        study_instance_uid=row.study_instance_uid,
        verdict=Verdict(row.verdict),
        score=row.top_probability,
        patient_name=row.patient_name,
        patient_id=row.patient_id,
        patient_sex=row.patient_sex,
        age_years=row.age_years,
        accession_number=row.accession_number,
        body_part=row.body_part,
        study_date=row.study_date,
        study_time=row.study_time,
        study_description=row.study_description,
        images_received=row.images_received,
        images_scored=row.images_scored,
        images_not_scored=row.images_not_scored,
        images_waiting=row.images_received - row.images_scored - row.images_not_scored,
        reasons=reasons,
        conflicts=conflicts,
        patients=row.patients or 1,
        model=row.model_name,
        model_version=row.model_version,
        revision=row.revision,
        received_at=row.first_received_at,
        decided_at=row.decided_at,
        lane=Lane(row.lane),
        calling_ae_title=row.calling_ae_title,
        review=Opinion(row.review) if row.review else None,
        cursor=str(Cursor(row.place, row.id)),
    )
