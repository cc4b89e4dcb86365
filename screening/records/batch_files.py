"""Files of a batch: which were looked at, and which brought nothing in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.domain.night_batch import FetchState
from screening.records.dialect import insert_for
from screening.records.night_batches import Batch
from screening.records.night_schema import BatchFileRow, BatchStudyRow
from screening.records.schema import InstanceRow, StudyRow

_DISTINCT = func.count(BatchFileRow.sop_instance_uid.distinct())


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file, and what became of it.

    Attributes
    ----------
    sop_instance_uid
        Of what came in; ``None`` where nothing did.
    why
        Nothing came in; ``None`` where something did.
    lost
        Whether it may hold an image all the same: it is damaged, unreadable or was refused.
    """

    path: str
    sop_instance_uid: str | None
    why: str | None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class FileTally:
    """A batch's files in numbers.

    Attributes
    ----------
    looked_at
        All; the sum of the next two.
    came
        Those that brought an image in.
    left_out
        How many did not for each reason.
    repeated
        Those of ``came`` that brought an image that a file before them had brought.
    lost
        Those left out that may hold an image all the same.
    """

    looked_at: int
    came: int
    left_out: dict[str, int]
    repeated: int
    lost: int


def known_files(session: Session, batch_row: int, paths: Collection[str]) -> frozenset[str]:
    """Return those of some paths that were looked at."""
    query = select(BatchFileRow.path).where(
        BatchFileRow.batch_row == batch_row, BatchFileRow.path.in_(paths)
    )
    return frozenset(session.scalars(query))


def note_files(session: Session, batch_row: int, files: Iterable[BatchFile]) -> None:
    """Record what became of files; of one that is known already nothing changes."""
    for each in files:
        session.execute(
            insert_for(session, BatchFileRow)
            .values(
                batch_row=batch_row,
                path=each.path,
                sop_instance_uid=each.sop_instance_uid,
                why=each.why,
                lost=each.lost,
            )
            .on_conflict_do_nothing(index_elements=["batch_row", "path"])
        )


BroughtStudy = tuple[str, str | None, int]
"""Study Instance UID, accession number, and how many images files brought."""


def studies_of_files(session: Session, batch_row: int) -> list[BroughtStudy]:
    """Return the studies that a batch's files brought."""
    found = session.execute(
        select(StudyRow.study_instance_uid, StudyRow.accession_number, _DISTINCT)
        .select_from(BatchFileRow)
        .join(InstanceRow, InstanceRow.sop_instance_uid == BatchFileRow.sop_instance_uid)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(BatchFileRow.batch_row == batch_row)
        .group_by(StudyRow.study_instance_uid, StudyRow.accession_number)
    )
    return [(uid, number, images) for uid, number, images in found]


def plan_from_files(
    session: Session, batch: Batch, found: Iterable[BroughtStudy], now: dt.datetime
) -> None:
    """Record which studies the files brought: all of them are here."""
    for uid, accession_number, images in found:
        values = {
            "state": FetchState.FETCHED.value,
            "expected": images,
            "here": images,
            "settled_at": now,
        }
        session.execute(
            insert_for(session, BatchStudyRow)
            .values(
                batch_row=batch.row,
                study_instance_uid=uid,
                accession_number=accession_number,
                attempts=0,
                due_at=now,
                arrived=images,
                missing="[]",
                **values,
            )
            .on_conflict_do_update(index_elements=["batch_row", "study_instance_uid"], set_=values)
        )


def count_files(session: Session, batch_row: int) -> FileTally:
    """Count a batch's files."""
    of_batch = BatchFileRow.batch_row == batch_row
    came, distinct = session.execute(
        select(func.count(BatchFileRow.sop_instance_uid), _DISTINCT).where(of_batch)
    ).one()
    left_out = dict(
        session.execute(
            select(BatchFileRow.why, func.count())
            .where(of_batch, BatchFileRow.why.is_not(None))
            .group_by(BatchFileRow.why)
        ).all()
    )
    lost = session.scalar(select(func.count()).where(of_batch, BatchFileRow.lost)) or 0
    return FileTally(came + sum(left_out.values()), came, left_out, came - distinct, lost)  # type: ignore[arg-type]


def files_left_out(session: Session, batch_row: int) -> Iterator[BatchFile]:
    """Yield the files that brought nothing in, in the order in which they were looked at."""
    query = (
        select(BatchFileRow)
        .where(BatchFileRow.batch_row == batch_row, BatchFileRow.why.is_not(None))
        .order_by(BatchFileRow.id)
        .execution_options(yield_per=1000)
    )
    for row in session.scalars(query):
        yield BatchFile(row.path, row.sop_instance_uid, row.why, row.lost)
