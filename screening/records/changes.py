"""Of which studies there is something new to tell, until deliveries are planned."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from screening.records.delivery_schema import ChangedStudyRow
from screening.records.dialect import insert_for
from screening.records.schema import StudyRow


@dataclass(frozen=True, slots=True)
class ChangedStudy:
    """A study with something new to tell, and when it last changed."""

    row: int
    study_instance_uid: str
    verdict: str
    calling_ae_title: str | None
    changed_at: dt.datetime


def note_change(session: Session, study_row: int, now: dt.datetime) -> None:
    """Note that there is something new to tell of a study, in the transaction that makes it so."""
    session.execute(
        insert_for(session, ChangedStudyRow)
        .values(study_row=study_row, changed_at=now)
        .on_conflict_do_update(index_elements=["study_row"], set_={"changed_at": now})
    )


def changed_studies(session: Session, before: dt.datetime, limit: int = 200) -> list[ChangedStudy]:
    """Return studies of which all is known and nothing is new since a moment, the oldest first."""
    settled = StudyRow.images_scored + StudyRow.images_not_scored
    found = session.execute(
        select(
            StudyRow.id,
            StudyRow.study_instance_uid,
            StudyRow.verdict,
            StudyRow.calling_ae_title,
            ChangedStudyRow.changed_at,
        )
        .join(StudyRow, StudyRow.id == ChangedStudyRow.study_row)
        .where(ChangedStudyRow.changed_at <= before, StudyRow.images_received == settled)
        .order_by(ChangedStudyRow.changed_at)
        .limit(limit)
    )
    return [ChangedStudy(*row) for row in found]


def changes_waiting(session: Session, before: dt.datetime) -> int:
    """Count studies of which all is known and nobody was told since a moment."""
    settled = StudyRow.images_scored + StudyRow.images_not_scored
    query = (
        select(func.count())
        .select_from(ChangedStudyRow)
        .join(StudyRow, StudyRow.id == ChangedStudyRow.study_row)
        .where(ChangedStudyRow.changed_at <= before, StudyRow.images_received == settled)
    )
    return session.scalar(query) or 0


def forget_changes(session: Session, before: dt.datetime) -> int:
    """Forget what was new before a moment and was never planned, and return of how many studies."""
    gone = delete(ChangedStudyRow).where(ChangedStudyRow.changed_at < before)
    return len(session.execute(gone.returning(ChangedStudyRow.study_row)).all())


def take_change(session: Session, study: ChangedStudy) -> bool:
    """Take what is new of a study, and say whether nothing newer has come meanwhile."""
    # Its row first, as whoever notes a change has it: else the two wait for each other.
    session.execute(
        select(StudyRow.id)
        .where(StudyRow.id == study.row)
        .with_for_update(read=True, key_share=True)
    )
    gone = session.execute(
        delete(ChangedStudyRow)
        .where(
            ChangedStudyRow.study_row == study.row, ChangedStudyRow.changed_at == study.changed_at
        )
        .returning(ChangedStudyRow.study_row)
    )
    return gone.first() is not None
