"""Images that a model has not scored are let wait for it; what others said of them stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.night_batch import ARCHIVE, FetchState
from screening.domain.reason import Reason
from screening.records.filing import reopen_study
from screening.records.night_batches import Batch, BatchStudy, settle_study
from screening.records.night_schema import BatchRow, BatchStudyRow
from screening.records.outbox import postpone
from screening.records.schema import ExclusionRow, InstanceRow, ScoreRow, StudyRow

Model = tuple[str, str]
"""Its name and its version."""


def was_rescreened() -> ColumnElement[bool]:
    """Say of an instance whether its study was ever let wait for another model."""
    return exists(
        select(BatchStudyRow.id)
        .join(BatchRow, BatchRow.id == BatchStudyRow.batch_row)
        .join(StudyRow, StudyRow.study_instance_uid == BatchStudyRow.study_instance_uid)
        .where(StudyRow.id == InstanceRow.study_row, BatchRow.source == ARCHIVE)
    )


def plan_rescreening(
    session: Session,
    batch: Batch,
    model: Model,
    now: dt.datetime,
    *,
    days: tuple[dt.date | None, dt.date | None] = (None, None),
    body_parts: Sequence[str] = (),
) -> int:
    """Plan the studies of which a model has not scored every image, and return how many they are.

    Parameters
    ----------
    days
        First and last study date; ``None`` for all before or after.
    body_parts
        As the studies have them; all if empty.
    """
    wanted: list[ColumnElement[bool]] = [
        exists(select(InstanceRow.id).where(InstanceRow.study_row == StudyRow.id, _lacks(model)))
    ]
    first, last = days
    if first is not None:
        wanted.append(StudyRow.study_date >= first)
    if last is not None:
        wanted.append(StudyRow.study_date <= last)
    if body_parts:
        wanted.append(StudyRow.body_part.in_(body_parts))
    begun = session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch.row, BatchRow.rounds == 0)
        .values(asked_at=now, rounds=1, last_error=None)
        .returning(BatchRow.id)
    )
    if begun.first() is None:
        return 0
    columns = {
        "batch_row": literal(batch.row),
        "study_instance_uid": StudyRow.study_instance_uid,
        "accession_number": StudyRow.accession_number,
        "state": literal(FetchState.PLANNED.value),
        "attempts": literal(0),
        "due_at": literal(now, BatchStudyRow.due_at.type),
        "arrived": literal(0),
        "missing": literal("[]"),
    }
    planned = select(*columns.values()).where(*wanted).order_by(StudyRow.id)
    session.execute(insert(BatchStudyRow).from_select(list(columns), planned))
    count = select(func.count()).where(BatchStudyRow.batch_row == batch.row)
    return session.scalar(count) or 0


def put_back_study(session: Session, study: BatchStudy, model: Model, now: dt.datetime) -> int:
    """Let the images of a study that a model has not scored wait for it, behind what is stat.

    Returns
    -------
    int
        How many images it was.
    """
    connection = session.connection()
    # The study first, as whoever writes a result does: else each could hold what the other needs.
    row = session.scalar(
        select(StudyRow.id)
        .where(StudyRow.study_instance_uid == study.study_instance_uid)
        .with_for_update()
    )
    assert row is not None, "a study is never deleted"
    images = session.scalars(
        select(InstanceRow.id).where(InstanceRow.study_row == row, _lacks(model))
    ).all()
    if images:
        session.execute(delete(ExclusionRow).where(ExclusionRow.instance_row.in_(images)))
        session.execute(
            update(InstanceRow)
            .where(InstanceRow.id.in_(images))
            .values(
                state=InstanceState.WAITING.value,
                lane=Lane.OVERNIGHT.value,
                attempts=0,
                claimed_until=None,
                claimed_by=None,
                last_error=None,
            )
        )
        reopen_study(connection, row)
        postpone(connection, row, now)
    count = len(images)
    settle_study(session, study, FetchState.HELD, now, expected=count, here=count)
    return count


def note_unscored(session: Session, batch: Batch, model: Model, why: str) -> int:
    """Mark the batch's studies that the model has still not scored, and return how many they are.

    Images that it could not score have their reason and are none of these.
    """
    left = exists(
        select(InstanceRow.id)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(
            StudyRow.study_instance_uid == BatchStudyRow.study_instance_uid,
            _is_scored_by_others(model),
        )
    )
    found = session.scalars(
        update(BatchStudyRow)
        .where(BatchStudyRow.batch_row == batch.row, left)
        .values(state=FetchState.FAILED.value, last_error=why)
        .returning(BatchStudyRow.id)
    )
    return len(found.all())


def _lacks(model: Model) -> ColumnElement[bool]:
    """Say of an instance whether a model may have something to say of it that it has not said."""
    abstained = exists().where(
        ExclusionRow.instance_row == InstanceRow.id,
        ExclusionRow.reason == Reason.UNLIKE_TRAINING.value,
    )
    return or_(_is_scored_by_others(model), abstained)


def _is_scored_by_others(model: Model) -> ColumnElement[bool]:
    name, version = model
    scored = exists().where(
        ScoreRow.instance_row == InstanceRow.id,
        ScoreRow.model_name == name,
        ScoreRow.model_version == version,
    )
    return and_(InstanceRow.state == InstanceState.SCORED.value, ~scored)
