"""Which cases leave for teaching and training: chosen by name, or by what was said of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.review import Opinion, Review
from screening.domain.verdict import FLAGGED
from screening.records.desk_schema import ReviewRow
from screening.records.dossier import Dossier, open_dossier
from screening.records.reviews import standing_reviews
from screening.records.schema import PatientRow, StudyRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which studies; each field narrows them.

    Attributes
    ----------
    flagged
        Suspected or doubtful ones.
    reviewed
        Of which somebody's review stands.
    disagreed
        Of which the newest standing review disagrees.
    reviewed_since
        Reviewed at this time or later. UTC.
    limit
        At most so many, the newest ones; ``None`` for all.
    """

    flagged: bool = False
    reviewed: bool = False
    disagreed: bool = False
    reviewed_since: dt.datetime | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Teachable:
    """A study with what was said of it, and what tells its patient from others.

    Attributes
    ----------
    identity
        The surviving identifier and its issuer; without one, the study's own UID.
    reviews
        Those that stand, of the study and of its images, the newest last.
    """

    dossier: Dossier
    identity: tuple[str | None, ...]
    reviews: tuple[Review, ...]


def choose_studies(session: Session, wanted: Wanted) -> list[str]:
    """Return the UIDs of the studies that are wanted, the newest first."""
    query = select(StudyRow.study_instance_uid).order_by(StudyRow.id.desc())
    if wanted.flagged:
        query = query.where(StudyRow.verdict.in_([verdict.value for verdict in FLAGGED]))
    if wanted.reviewed:
        query = query.where(StudyRow.review.is_not(None))
    if wanted.disagreed:
        query = query.where(StudyRow.review == Opinion.DISAGREE.value)
    if wanted.reviewed_since is not None:
        since = select(ReviewRow.study_row).where(ReviewRow.at >= wanted.reviewed_since)
        query = query.where(StudyRow.id.in_(since))
    return list(session.scalars(query.limit(wanted.limit)))


def unknown_studies(session: Session, uids: Sequence[str]) -> list[str]:
    """Return those of some UIDs of which no study was received."""
    known = {
        uid
        for start in range(0, len(uids), 500)
        for uid in session.scalars(
            select(StudyRow.study_instance_uid).where(
                StudyRow.study_instance_uid.in_(uids[start : start + 500])
            )
        )
    }
    return [uid for uid in uids if uid not in known]


def open_teachable(session: Session, study_instance_uid: str) -> Teachable | None:
    """Return a study as it is exported, ``None`` if we never received it."""
    dossier = open_dossier(session, study_instance_uid)
    if dossier is None:
        return None
    patient = session.execute(
        select(PatientRow.patient_id, PatientRow.issuer_of_patient_id)
        .join(StudyRow, StudyRow.patient_row == PatientRow.id)
        .where(StudyRow.study_instance_uid == study_instance_uid)
    ).one()
    identity = tuple(patient) if patient.patient_id else ("study", study_instance_uid, None)
    return Teachable(dossier, identity, standing_reviews(session, study_instance_uid))
