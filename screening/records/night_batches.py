"""Batches, and where each of their studies stands."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from screening.domain.night_batch import FOLDER, BatchState
from screening.errors import BatchError
from screening.records.dialect import insert_for
from screening.records.night_schema import BatchRow


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch; its attributes are those of `screening.records.night_schema.BatchRow`."""

    row: int
    source: str
    question: Mapping[str, Any]
    schedule: str | None
    night: dt.date | None
    state: BatchState
    begun_at: dt.datetime
    due_at: dt.datetime
    asked_at: dt.datetime | None
    rounds: int
    arrived: int
    ended_at: dt.datetime | None
    last_error: str | None


def begin_batch(
    session: Session,
    source: str,
    question: Mapping[str, Any],
    now: dt.datetime,
    *,
    schedule: str | None = None,
    night: dt.date | None = None,
) -> Batch | None:
    """Begin a batch; ``None`` if this schedule's night was begun before.

    Parameters
    ----------
    source
        Which PACS.
    question
        What it is asked for, of JSON's own types.
    schedule, night
        Of which entry and which night; neither where a person begins it.
    """
    new = insert_for(session, BatchRow).values(
        source=source,
        question=json.dumps(question),
        schedule=schedule,
        night=night,
        state=BatchState.RUNNING.value,
        begun_at=now,
        due_at=now,
        rounds=0,
        arrived=0,
    )
    row = session.scalar(
        new.on_conflict_do_nothing(index_elements=["schedule", "night"]).returning(BatchRow.id)
    )
    return find_batch(session, row) if row is not None else None


def begin_or_go_on(
    session: Session, source: str, question: Mapping[str, Any], now: dt.datetime
) -> tuple[Batch, bool]:
    """Begin a batch, or go on with one for the same that somebody has begun and not finished.

    Returns
    -------
    Batch
        Running.
    bool
        Whether it goes on.
    """
    row = session.scalar(
        select(BatchRow.id)
        .where(
            BatchRow.source == source,
            BatchRow.state.in_([BatchState.RUNNING.value, BatchState.PAUSED.value]),
            BatchRow.question == json.dumps(question),
        )
        .order_by(BatchRow.id.desc())
        .limit(1)
    )
    if row is not None:
        return change_state(session, row, BatchState.RUNNING, now), True
    made = begin_batch(session, source, question, now)
    assert made is not None, "no schedule has begun it"
    return made, False


def find_batch(session: Session, number: int) -> Batch | None:
    """Return a batch by its number."""
    row = session.get(BatchRow, number, populate_existing=True)
    return _batch(row) if row is not None else None


def list_batches(
    session: Session, *, night: dt.date | None = None, limit: int | None = 50
) -> list[Batch]:
    """Return batches, the newest first; of one night or all."""
    query = select(BatchRow).order_by(BatchRow.id.desc()).limit(limit)
    if night is not None:
        query = query.where(BatchRow.night == night)
    return [_batch(row) for row in session.scalars(query)]


def newest_night(session: Session, schedule: str) -> dt.date | None:
    """Return the newest night that a schedule has begun; ``None`` before the first."""
    return session.scalar(select(func.max(BatchRow.night)).where(BatchRow.schedule == schedule))


def due_batches(session: Session, now: dt.datetime) -> list[Batch]:
    """Return the batches of which somebody should take the next step, the oldest first."""
    query = select(BatchRow).where(
        BatchRow.state == BatchState.RUNNING.value,
        BatchRow.due_at <= now,
        # Files are brought in by whoever asked for it.
        BatchRow.source != FOLDER,
    )
    return [_batch(row) for row in session.scalars(query.order_by(BatchRow.id))]


_FROM = {
    BatchState.PAUSED: (BatchState.RUNNING,),
    BatchState.RUNNING: (BatchState.PAUSED,),
    BatchState.CANCELLED: (BatchState.RUNNING, BatchState.PAUSED),
}


def change_state(session: Session, number: int, state: BatchState, now: dt.datetime) -> Batch:
    """Pause, resume or cancel a batch; one that is there already stays as it is.

    Raises
    ------
    BatchError
        If there is none, or it has ended.
    """
    row = session.get(BatchRow, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise BatchError(f"there is no batch {number}: nightread batch list")
    if row.state != state.value:
        if row.state not in _FROM[state]:
            raise BatchError(f"batch {number} is {row.state}: it cannot become {state.value}")
        row.state, row.due_at = state.value, now
        row.ended_at = now if state is BatchState.CANCELLED else None
    session.flush()
    return _batch(row)


def begin_round(session: Session, batch: Batch, now: dt.datetime) -> bool:
    """Note that what a batch consists of was said once more; not if somebody has meanwhile."""
    begun = session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch.row, BatchRow.rounds == batch.rounds)
        .values(asked_at=now, rounds=BatchRow.rounds + 1, arrived=0, last_error=None)
        .returning(BatchRow.id)
    )
    return begun.first() is not None


def postpone_batch(
    session: Session, batch_row: int, due_at: dt.datetime, error: str | None
) -> None:
    """Have a batch's next step wait, with what it waits for."""
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_row, BatchRow.state == BatchState.RUNNING.value)
        .values(due_at=due_at, last_error=error)
    )


def end_batch(session: Session, batch_row: int, now: dt.datetime) -> None:
    """Record that a batch is done, unless somebody has paused or cancelled it meanwhile."""
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_row, BatchRow.state == BatchState.RUNNING.value)
        .values(state=BatchState.FINISHED.value, ended_at=now, last_error=None)
    )


def _batch(row: BatchRow) -> Batch:
    return Batch(
        row=row.id,
        source=row.source,
        question=json.loads(row.question),
        schedule=row.schedule,
        night=row.night,
        state=BatchState(row.state),
        begun_at=row.begun_at,
        due_at=row.due_at,
        asked_at=row.asked_at,
        rounds=row.rounds,
        arrived=row.arrived,
        ended_at=row.ended_at,
        last_error=row.last_error,
    )
