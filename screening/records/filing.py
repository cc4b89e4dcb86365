"""A patient, a study and a series are found by what a header says, or filed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, Executable, ScalarSelect, bindparam, case, func, select, update

from screening.domain.instance import InstanceHeader, InstanceState
from screening.domain.lane import Lane
from screening.domain.search_words import LONGEST, normal, words_of
from screening.domain.verdict import Verdict
from screening.records.dialect import Insert
from screening.records.list_schema import StudyReasonRow, StudyWordRow
from screening.records.prepared import Prepared
from screening.records.reasons import settle_reasons
from screening.records.schema import InstanceRow, PatientRow, SeriesRow, StudyRow
from screening.records.surviving import share_identities, walk, was_merged


@Prepared
def _add_patient(insert: Insert) -> Executable:
    new = insert(PatientRow).on_conflict_do_nothing(index_elements=["identity_digest"])
    return new.returning(PatientRow.id)


@Prepared
def _find_patient(_: Insert) -> Executable:
    return select(PatientRow.id).where(PatientRow.identity_digest == bindparam("digest"))


@dataclass(frozen=True, slots=True)
class Demographics:
    """How a patient is described besides the identifier."""

    patient_name: str | None = None
    patient_birth_date: dt.date | None = None
    patient_sex: str | None = None


def file_patient(connection: Connection, header: InstanceHeader) -> int:
    """Find or file the patient as this header describes them, and return the row."""
    known = Demographics(header.patient_name, header.patient_birth_date, header.patient_sex)
    return file_identity(connection, header.patient_id, header.issuer_of_patient_id, known)


def file_identity(
    connection: Connection, patient_id: str | None, issuer: str | None, known: Demographics
) -> int:
    """Find or file a patient as somebody describes them, and return the row."""
    born = known.patient_birth_date
    identity = (
        patient_id,
        issuer,
        known.patient_name,
        born.isoformat() if born else None,
        known.patient_sex,
    )
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    found = _find_patient.scalar(connection, digest=digest)
    if found is None:
        values = {
            "identity_digest": digest,
            "patient_id": patient_id,
            "issuer_of_patient_id": issuer,
            "patient_name": known.patient_name,
            "patient_birth_date": born,
            "patient_sex": known.patient_sex,
        }
        found = _add_patient.scalar(connection, **values)
        # Another association may have filed the same one a moment ago.
        found = found or _find_patient.scalar(connection, digest=digest)
    return cast(int, found)


@Prepared
def _add_study(insert: Insert) -> Executable:
    # The first image describes the study; a later one adds only what the first left out. A study
    # of which nothing could be scored waits again: it has an image to score.
    new = insert(StudyRow)
    least = case((new.excluded.lane < StudyRow.lane, new.excluded.lane), else_=StudyRow.lane)
    added = {
        name: func.coalesce(getattr(StudyRow, name), new.excluded[name])
        for name in (
            *("accession_number", "study_date", "study_time", "body_part", "age_years"),
            "calling_ae_title",
        )
    }
    return new.on_conflict_do_update(
        index_elements=["study_instance_uid"],
        set_={
            "last_received_at": new.excluded.last_received_at,
            "verdict": case(
                (StudyRow.verdict == Verdict.NOT_SCORED.value, Verdict.WAITING.value),
                else_=StudyRow.verdict,
            ),
            "lane": least,
            "images_received": StudyRow.images_received + new.excluded.images_received,
            **added,
        },
    ).returning(StudyRow.id, StudyRow.images_received)


@Prepared
def _add_word(insert: Insert) -> Executable:
    return insert(StudyWordRow).on_conflict_do_nothing(index_elements=["study_row", "word"])


@Prepared
def _move_reasons(_: Insert) -> Executable:
    # A study of which nothing could be scored has another place while it waits again.
    place = select(StudyRow.place).where(StudyRow.id == bindparam("row")).scalar_subquery()
    of_study = StudyReasonRow.study_row == bindparam("row")
    return update(StudyReasonRow).where(of_study).values(place=place)


def file_study(
    connection: Connection,
    header: InstanceHeader,
    patient_row: int,
    now: dt.datetime,
    *,
    images: int = 1,
    calling_ae_title: str | None = None,
    lane: Lane = Lane.STAT,
) -> int:
    """Find or file the study of some images that are to be scored, and note that it grew.

    It is found by its first image's patient, and by each accession number that an image names.
    """
    values = {
        "study_instance_uid": header.study_instance_uid,
        "patient_row": patient_row,
        "accession_number": header.accession_number,
        "study_date": header.study_date,
        "study_time": header.study_time,
        "study_id": header.study_id,
        "study_description": header.study_description,
        "referring_physician": header.referring_physician,
        "institution": header.institution,
        "body_part": header.body_part,
        "age_years": header.age_years,
        "first_received_at": now,
        "last_received_at": now,
        "verdict": Verdict.WAITING.value,
        "revision": 0,
        "calling_ae_title": calling_ae_title,
        "lane": lane.value,
        "images_received": images,
        "images_scored": 0,
        "images_not_scored": 0,
    }
    ((row, received),) = _add_study.run(connection, **values)
    if received > images:
        _move_reasons.run(connection, row=row)
    words = words_of(header.accession_number)
    if received <= 1:
        words |= words_of(header.patient_name, header.patient_id)
        # Whole: its pieces, as 1 and 840, are those of every study.
        words.add(normal(header.study_instance_uid)[:LONGEST])
        words |= _survived(connection, row, patient_row)
    for word in words:
        _add_word.run(connection, study_row=row, word=word)
    return cast(int, row)


def _survived(connection: Connection, study_row: int, patient_row: int) -> set[str]:
    """Have a new study name who its patient became, and return what it is found by for that."""
    share_identities(connection)
    if not was_merged(connection, patient_row):
        return set()
    survivor = walk(connection, patient_row).row
    connection.execute(
        update(StudyRow).where(StudyRow.id == study_row).values(patient_row=survivor)
    )
    query = select(PatientRow.patient_name, PatientRow.patient_id)
    return words_of(*connection.execute(query.where(PatientRow.id == survivor)).one())


@Prepared
def _add_series(insert: Insert) -> Executable:
    new = insert(SeriesRow).on_conflict_do_nothing(
        index_elements=["study_row", "series_instance_uid"]
    )
    return new.returning(SeriesRow.id)


@Prepared
def _find_series(_: Insert) -> Executable:
    return select(SeriesRow.id).where(
        SeriesRow.study_row == bindparam("study_row"),
        SeriesRow.series_instance_uid == bindparam("uid"),
    )


def file_series(connection: Connection, header: InstanceHeader, study_row: int) -> int:
    """Find or file the series of a study, and return its row."""
    key = {"study_row": study_row, "uid": header.series_instance_uid or ""}
    found = _find_series.scalar(connection, **key)
    if found is None:
        values = {
            "study_row": study_row,
            "series_instance_uid": key["uid"],
            "modality": header.modality,
            "series_number": header.series_number,
            "series_description": header.series_description,
            "body_part": header.body_part,
            "manufacturer": header.manufacturer,
            "manufacturer_model": header.manufacturer_model,
            "station_name": header.station_name,
        }
        found = _add_series.scalar(connection, **values)
        found = found or _find_series.scalar(connection, **key)
    return cast(int, found)


def reopen_study(connection: Connection, study_row: int) -> None:
    """Let a study wait again of which some images do, and count what the others are."""
    connection.execute(
        update(StudyRow)
        .where(StudyRow.id == study_row)
        .values(
            verdict=case(
                (StudyRow.verdict == Verdict.NOT_SCORED.value, Verdict.WAITING.value),
                else_=StudyRow.verdict,
            ),
            images_scored=_count_of(study_row, InstanceState.SCORED),
            images_not_scored=_count_of(study_row, InstanceState.NOT_SCORED),
        )
    )
    settle_reasons(connection, study_row)


def _count_of(study_row: int, state: InstanceState) -> ScalarSelect[int]:
    return (
        select(func.count())
        .where(InstanceRow.study_row == study_row, InstanceRow.state == state.value)
        .scalar_subquery()
    )


def file_study_of_conflict(
    connection: Connection, header: InstanceHeader, now: dt.datetime
) -> None:
    """Have the study that other bytes name in the list, though it may hold no image of its own."""
    known = connection.scalar(
        select(StudyRow.id).where(StudyRow.study_instance_uid == header.study_instance_uid)
    )
    if known is None:
        patient_row = file_patient(connection, header)
        row = file_study(connection, header, patient_row, now, images=0, lane=Lane.OVERNIGHT)
        # Unless an image of it came in this very moment.
        is_empty = StudyRow.id == row, StudyRow.images_received == 0
        connection.execute(
            update(StudyRow).where(*is_empty).values(verdict=Verdict.NOT_SCORED.value)
        )
