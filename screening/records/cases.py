"""The list of cases: which studies to look at, most urgent first.

The same query serves the console, the page and the REST interface.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from screening.domain.lane import Lane
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict
from screening.records.case_filter import CaseFilter, Cursor
from screening.records.case_page import Shape, ask, rows_of
from screening.records.result_schema import ExclusionRow, RevisionRow
from screening.records.schema import ConflictRow, InstanceRow, PatientRow, StudyRow
from screening.records.surviving import count_patients


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
        How many different patients its images name, those who became one counted once; more than
        one is a mix-up to look into.
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
    shape, values = ask(session, wanted, limit, after)
    return _cases(session, _page(shape), values)


def find_case(session: Session, study_instance_uid: str) -> Case | None:
    """Return one study as a line of the list, or ``None`` if we never received it."""
    query = _studies().where(StudyRow.study_instance_uid == study_instance_uid)
    return next(iter(_cases(session, query)), None)


def cases_of_rows(session: Session, rows: Sequence[int]) -> list[Case]:
    """Return studies by their rows, in the order of these."""
    place = {row: index for index, row in enumerate(rows)}
    found = _cases(session, _studies().where(StudyRow.id.in_(rows)))
    return sorted(found, key=lambda case: place[Cursor.parse(case.cursor).row])


_Selected = Select[*tuple[Any, ...]]

# Columns and no objects of the tables: for a page these cost more than the database.
_COLUMNS = (
    StudyRow.id,
    StudyRow.place,
    StudyRow.study_instance_uid,
    StudyRow.verdict,
    StudyRow.top_probability,
    PatientRow.patient_name,
    PatientRow.patient_id,
    PatientRow.patient_sex,
    StudyRow.age_years,
    StudyRow.accession_number,
    StudyRow.body_part,
    StudyRow.study_date,
    StudyRow.study_time,
    StudyRow.study_description,
    StudyRow.images_received,
    StudyRow.images_scored,
    StudyRow.images_not_scored,
    RevisionRow.model_name,
    RevisionRow.model_version,
    StudyRow.revision,
    StudyRow.first_received_at,
    RevisionRow.decided_at,
    StudyRow.lane,
    StudyRow.calling_ae_title,
    StudyRow.review,
)


def _studies() -> _Selected:
    held = InstanceRow.study_row == StudyRow.id
    patients = select(func.count(InstanceRow.patient_row.distinct())).where(held)
    # Mostly there is no conflict at all to look for.
    any_conflict = select(ConflictRow.id).exists()
    return (
        select(*_COLUMNS, patients.correlate(StudyRow).scalar_subquery(), any_conflict)
        .join(PatientRow, PatientRow.id == StudyRow.patient_row)
        .outerjoin(
            RevisionRow,
            (RevisionRow.study_row == StudyRow.id) & (RevisionRow.revision == StudyRow.revision),
        )
    )


@lru_cache(maxsize=256)
def _page(shape: Shape) -> _Selected:
    rows = rows_of(shape).subquery()
    return _studies().join(rows, rows.c.id == StudyRow.id).order_by(rows.c.place, rows.c.id)


def _cases(
    session: Session, query: _Selected, values: Mapping[str, Any] | None = None
) -> list[Case]:
    found = session.execute(query, values).all()
    reasons = _reasons(session, [row.id for row in found if row.images_not_scored])
    any_conflict = bool(found) and found[0][-1]
    conflicts = _conflicts(session, [row.id for row in found]) if any_conflict else {}
    # Two patients who became one are one. Mostly a study has one anyway.
    patients = count_patients(session, [row.id for row in found if row[-2] > 1])
    return [
        _case(row, reasons.get(row[0], {}), conflicts.get(row[0], 0), patients.get(row[0], 1))
        for row in found
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


_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_LANES = {lane.value: lane for lane in Lane}
_OPINIONS = {opinion.value: opinion for opinion in Opinion}


def _case(
    row: Any,  # noqa: ANN401 - a row
    reasons: Mapping[str, int],
    conflicts: int,
    patients: int,
) -> Case:
    # By place, as `_COLUMNS` has them: by name a page takes twice as long.
    (
        number, place, uid, verdict, score, name, patient_id, sex, age, accession, body_part,
        date, time, description, received, scored, not_scored, model, version, revision,
        received_at, decided_at, lane, calling, review, _, _,
    ) = row  # fmt: skip
    return Case(
        study_instance_uid=uid,
        verdict=_VERDICTS[verdict],
        score=score,
        patient_name=name,
        patient_id=patient_id,
        patient_sex=sex,
        age_years=age,
        accession_number=accession,
        body_part=body_part,
        study_date=date,
        study_time=time,
        study_description=description,
        images_received=received,
        images_scored=scored,
        images_not_scored=not_scored,
        images_waiting=received - scored - not_scored,
        reasons=reasons,
        conflicts=conflicts,
        patients=patients,
        model=model,
        model_version=version,
        revision=revision,
        received_at=received_at,
        decided_at=decided_at,
        lane=_LANES[lane],
        calling_ae_title=calling,
        review=_OPINIONS[review] if review else None,
        cursor=str(Cursor(place, number)),
    )
