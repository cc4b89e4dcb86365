"""Images that a model has not scored are let wait for it; what others said of them stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.night_batch import FetchState
from screening.domain.reason import Reason
from screening.records.filing import reopen_study
from screening.records.night_batches import Batch
from screening.records.night_schema import BatchStudyRow
from screening.records.night_studies import BatchStudy, settle_study
from screening.records.outbox import postpone
from screening.records.removals import is_gone
from screening.records.result_schema import ExclusionRow, ScoreRow
from screening.records.schema import InstanceRow, StudyRow

Model = tuple[str, str]
"""Its name and its version."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which studies a model is to read.

    Attributes
    ----------
    model
        Images that it has scored are left as they are.
    first_day, last_day
        Study dates; all before or after where there is none.
    body_parts
        As the studies have them; all if empty.
    """

    model: Model
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    body_parts: Sequence[str] = ()


def studies_lacking(
    session: Session, wanted: Wanted, *, after: int, limit: int
) -> list[tuple[int, str, str | None]]:
    """Return studies of which a model has not scored every image, in the order of their rows.

    Parameters
    ----------
    after
        The row of the last one of the page before; 0 for the first.

    Returns
    -------
    list of tuple
        Row, Study Instance UID and accession number.
    """
    conditions: list[ColumnElement[bool]] = [
        StudyRow.id > after,
        exists(
            select(InstanceRow.id).where(InstanceRow.study_row == StudyRow.id, _lacks(wanted.model))
        ),
    ]
    if wanted.first_day is not None:
        conditions.append(StudyRow.study_date >= wanted.first_day)
    if wanted.last_day is not None:
        conditions.append(StudyRow.study_date <= wanted.last_day)
    if wanted.body_parts:
        conditions.append(StudyRow.body_part.in_(wanted.body_parts))
    found = session.execute(
        select(StudyRow.id, StudyRow.study_instance_uid, StudyRow.accession_number)
        .where(*conditions)
        .order_by(StudyRow.id)
        .limit(limit)
    )
    return [(row, uid, number) for row, uid, number in found]


def last_planned(session: Session, batch_row: int) -> int:
    """Return the row of the study that a batch has noted last; 0 before the first."""
    newest = (
        select(BatchStudyRow.study_instance_uid)
        .where(BatchStudyRow.batch_row == batch_row)
        .order_by(BatchStudyRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return session.scalar(select(StudyRow.id).where(StudyRow.study_instance_uid == newest)) or 0


def put_back_study(
    session: Session, study: BatchStudy, model: Model, now: dt.datetime, *, tell: bool = False
) -> int:
    """Let the images of a study that a model has not scored wait for it, behind what is stat.

    Parameters
    ----------
    tell
        Whether others are told of a verdict that changes by it.

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
                rereadings=InstanceRow.rereadings + 1,
                is_told=tell,
            )
        )
        reopen_study(connection, row)
        postpone(connection, row, now)
    count = len(images)
    settle_study(session, study, FetchState.HELD, now, expected=count, here=count)
    return count


def studies_left(session: Session, batch: Batch, model: Model) -> list[int]:
    """Return the rows of the batch's studies of which the model has not spoken on an image.

    Images that it has a reason not to score are none of these; those that failed are.
    """
    left = exists(
        select(InstanceRow.id)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(StudyRow.study_instance_uid == BatchStudyRow.study_instance_uid, _lacks(model))
    )
    query = select(BatchStudyRow.id).where(BatchStudyRow.batch_row == batch.row, left)
    return list(session.scalars(query))


def fail_studies(session: Session, rows: Collection[int], why: str) -> None:
    """Mark studies of a batch as those that nobody tries any more."""
    session.execute(
        update(BatchStudyRow)
        .where(BatchStudyRow.id.in_(rows))
        .values(state=FetchState.FAILED.value, last_error=why)
    )


def _lacks(model: Model) -> ColumnElement[bool]:
    """Say of an instance whether a model may have something to say of it that it has not said.

    That is what others have scored, what others abstained from, and what failed when it was to be
    scored anew. An image whose pixels were removed nobody can read.
    """
    name, version = model
    any_score = exists().where(ScoreRow.instance_row == InstanceRow.id)
    own_score = exists().where(
        ScoreRow.instance_row == InstanceRow.id,
        ScoreRow.model_name == name,
        ScoreRow.model_version == version,
    )
    is_own = and_(ExclusionRow.model_name == name, ExclusionRow.model_version == version)
    abstained = exists().where(
        ExclusionRow.instance_row == InstanceRow.id,
        ExclusionRow.reason == Reason.UNLIKE_TRAINING.value,
        or_(ExclusionRow.model_name.is_(None), not_(is_own)),
    )
    failed = exists().where(
        ExclusionRow.instance_row == InstanceRow.id, ExclusionRow.reason == Reason.ERROR.value
    )
    unsaid = or_(
        and_(InstanceRow.state == InstanceState.SCORED.value, ~own_score),
        abstained,
        and_(failed, any_score, ~own_score),
    )
    return and_(unsaid, ~is_gone(InstanceRow.digest))
