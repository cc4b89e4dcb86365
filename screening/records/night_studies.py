"""The studies of a batch: planned, taken by whoever looks at them, and settled."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from screening.domain.night_batch import FetchState
from screening.records.dialect import insert_for
from screening.records.night_batches import Batch
from screening.records.night_schema import BatchRow, BatchStudyRow


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


def plan_studies(
    session: Session,
    batch: Batch,
    found: Iterable[tuple[str, str | None]],
    now: dt.datetime,
    *,
    again: bool = True,
) -> int:
    """Plan studies of a batch, and return how many that is.

    Parameters
    ----------
    again
        Whether one that is known is due once more; else it stays as it is.
    """
    count = 0
    for uid, accession_number in found:
        count += 1
        values = {"state": FetchState.PLANNED.value, "attempts": 0, "due_at": now}
        new = insert_for(session, BatchStudyRow).values(
            batch_row=batch.row,
            study_instance_uid=uid,
            accession_number=accession_number,
            arrived=0,
            missing="[]",
            **values,
        )
        key = ["batch_row", "study_instance_uid"]
        session.execute(
            new.on_conflict_do_update(index_elements=key, set_=values)
            if again
            else new.on_conflict_do_nothing(index_elements=key)
        )
    return count


_UNKNOWN = "accession number "
_UNNAMED = "studies without a UID"


def note_unknown(
    session: Session,
    batch: Batch,
    accession_numbers: Iterable[str],
    unnamed: int,
    now: dt.datetime,
) -> None:
    """Record what the PACS does not know, or names in no way: these are exceptions as well.

    They were none where an earlier round did not know what it knows now.

    Parameters
    ----------
    accession_numbers
        Of which it has no study.
    unnamed
        How many studies it lists without a UID that can be asked for.
    """
    row = BatchStudyRow.study_instance_uid
    session.execute(
        delete(BatchStudyRow).where(
            BatchStudyRow.batch_row == batch.row, row.startswith(_UNKNOWN) | (row == _UNNAMED)
        )
    )
    for number in accession_numbers:
        why = "the PACS has no study of this accession number"
        _note_exception(session, batch, f"{_UNKNOWN}{number}", number, why, now)
    if unnamed:
        why = f"the PACS lists {unnamed} studies without a UID that can be asked for"
        _note_exception(session, batch, _UNNAMED, None, why, now)


def _note_exception(
    session: Session,
    batch: Batch,
    name: str,
    accession_number: str | None,
    why: str,
    now: dt.datetime,
) -> None:
    new = insert_for(session, BatchStudyRow).values(
        batch_row=batch.row,
        study_instance_uid=name,
        accession_number=accession_number,
        state=FetchState.FAILED.value,
        attempts=0,
        due_at=now,
        arrived=0,
        missing="[]",
        settled_at=now,
        last_error=why,
    )
    session.execute(new.on_conflict_do_nothing(index_elements=["batch_row", "study_instance_uid"]))


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
