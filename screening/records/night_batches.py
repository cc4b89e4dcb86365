"""Batches, and where each of their studies stands."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from screening.domain.night_batch import FOLDER, BatchState, FetchState
from screening.errors import BatchError
from screening.records.dialect import insert_for
from screening.records.night_schema import BatchRow, BatchStudyRow


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


@dataclass(frozen=True, slots=True)
class BatchStudy:
    """A study of a batch; see `screening.records.night_schema.BatchStudyRow`."""

    row: int
    study_instance_uid: str
    accession_number: str | None
    state: FetchState
    attempts: int
    due_at: dt.datetime
    expected: int | None
    here: int | None
    arrived: int
    missing: tuple[str, ...]
    settled_at: dt.datetime | None
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


def plan_round(
    session: Session, batch: Batch, found: Iterable[tuple[str, str | None]], now: dt.datetime
) -> int:
    """Plan what the PACS says that it has, known or not, and return how many studies that is.

    Nothing is done where another runner has planned the round meanwhile. What was settled before
    is looked at once more: it may have grown, or what was missing may be there.

    Parameters
    ----------
    found
        Study Instance UID and accession number of each.
    """
    begun = session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch.row, BatchRow.rounds == batch.rounds)
        .values(asked_at=now, rounds=BatchRow.rounds + 1, arrived=0, last_error=None)
        .returning(BatchRow.id)
    )
    if begun.first() is None:
        return 0
    count = 0
    for uid, accession_number in found:
        count += 1
        values = {"state": FetchState.PLANNED.value, "attempts": 0, "due_at": now}
        new = insert_for(session, BatchStudyRow)
        session.execute(
            new.values(
                batch_row=batch.row,
                study_instance_uid=uid,
                accession_number=accession_number,
                arrived=0,
                missing="[]",
                **values,
            ).on_conflict_do_update(index_elements=["batch_row", "study_instance_uid"], set_=values)
        )
    return count


def note_unknown(
    session: Session, batch: Batch, accession_numbers: Iterable[str], now: dt.datetime
) -> None:
    """Record accession numbers of which the PACS has no study: that is an exception as well."""
    for number in accession_numbers:
        new = insert_for(session, BatchStudyRow)
        session.execute(
            new.values(
                batch_row=batch.row,
                study_instance_uid=f"accession number {number}",
                accession_number=number,
                state=FetchState.FAILED.value,
                attempts=0,
                due_at=now,
                arrived=0,
                missing="[]",
                settled_at=now,
                last_error="the PACS has no study of this accession number",
            ).on_conflict_do_nothing(index_elements=["batch_row", "study_instance_uid"])
        )


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


def take_study(
    session: Session, batch_row: int, now: dt.datetime, lease: dt.timedelta
) -> BatchStudy | None:
    """Take a study that is to be looked at next, the longest due first; ``None`` if none is due.

    Parameters
    ----------
    session
        An open transaction that writes.
    lease
        For how long it is ours; after that it is taken for lost, and due again.
    """
    row = session.scalar(
        select(BatchStudyRow)
        .where(
            BatchStudyRow.batch_row == batch_row,
            BatchStudyRow.state == FetchState.PLANNED.value,
            BatchStudyRow.due_at <= now,
        )
        .order_by(BatchStudyRow.due_at, BatchStudyRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    row.due_at = now + lease
    session.flush()
    return _study(row)


def settle_study(
    session: Session,
    study: BatchStudy,
    state: FetchState,
    now: dt.datetime,
    *,
    expected: int | None = None,
    here: int | None = None,
    missing: Collection[str] = (),
    arrived: int = 0,
    attempts: int = 0,
    due_at: dt.datetime | None = None,
    error: str | None = None,
) -> None:
    """Record what a look at a study came to, unless another look has settled it meanwhile.

    Parameters
    ----------
    state
        Planned still, with ``due_at``; or settled.
    expected, here, missing
        What the PACS has, how much of it is here, and what is not, by its SOP Instance UIDs.
    arrived
        How many images of it came just now.
    attempts
        In vain, this one included.
    error
        What prevented it.
    """
    of_study = BatchStudyRow.id == study.row
    values: dict[str, Any] = {
        "state": state.value,
        "attempts": attempts,
        "due_at": due_at or now,
        "last_error": error,
        "settled_at": None if state is FetchState.PLANNED else now,
    }
    if expected is not None:
        values |= {"expected": expected, "here": here, "missing": json.dumps(sorted(missing))}
    if arrived:
        values["arrived"] = BatchStudyRow.arrived + arrived
        session.execute(
            update(BatchRow)
            .where(BatchRow.id == select(BatchStudyRow.batch_row).where(of_study).scalar_subquery())
            .values(arrived=BatchRow.arrived + arrived)
        )
    session.execute(
        update(BatchStudyRow)
        .where(of_study, BatchStudyRow.state == FetchState.PLANNED.value)
        .values(**values)
    )


def count_studies(session: Session, batch_row: int) -> dict[FetchState, int]:
    """Count a batch's studies by where they stand."""
    counted = session.execute(
        select(BatchStudyRow.state, func.count())
        .where(BatchStudyRow.batch_row == batch_row)
        .group_by(BatchStudyRow.state)
    )
    return {FetchState(state): count for state, count in counted}


def next_due(session: Session, batch_row: int) -> dt.datetime | None:
    """Return when the next of a batch's planned studies is due; ``None`` if none is planned."""
    return session.scalar(
        select(func.min(BatchStudyRow.due_at)).where(
            BatchStudyRow.batch_row == batch_row,
            BatchStudyRow.state == FetchState.PLANNED.value,
        )
    )


def exceptions_of(session: Session, batch_row: int) -> list[BatchStudy]:
    """Return a batch's studies of which something is missing, in the order of their planning."""
    query = (
        select(BatchStudyRow)
        .where(
            BatchStudyRow.batch_row == batch_row,
            (BatchStudyRow.here < BatchStudyRow.expected)
            | (BatchStudyRow.state == FetchState.FAILED.value),
        )
        .order_by(BatchStudyRow.id)
    )
    return [_study(row) for row in session.scalars(query)]


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


def _study(row: BatchStudyRow) -> BatchStudy:
    return BatchStudy(
        row=row.id,
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        state=FetchState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        expected=row.expected,
        here=row.here,
        arrived=row.arrived,
        missing=tuple(json.loads(row.missing)),
        settled_at=row.settled_at,
        last_error=row.last_error,
    )
