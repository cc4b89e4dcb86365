"""A worker claims waiting images for a while; nobody else takes them until the lease lapses.

It lapses unless the worker prolongs it, as it does while it is at work. The attempt is counted when
the claim is made, not when it ends: an image that kills its process still reaches its last attempt.
An image that failed once is claimed alone from then on, so that it cannot take its neighbours with
it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, literal, or_, select, update
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.records.schema import InstanceRow, OutboxRow, StudyRow


@dataclass(frozen=True, slots=True)
class ClaimedInstance:
    """One image to score: its row and its study's, where its bytes lie, its UIDs, its attempt."""

    row: int
    study_row: int
    study_instance_uid: str
    digest: str
    sop_instance_uid: str
    sop_class_uid: str
    attempt: int
    last_error: str | None


def claim(
    session: Session,
    study_row: int,
    *,
    worker: str,
    now: dt.datetime,
    lease: dt.timedelta,
    limit: int,
    maximum_attempts: int | None = None,
) -> list[ClaimedInstance]:
    """Claim up to ``limit`` waiting images, fewer or none if others hold them.

    Those of a study, and of every other that has been announced: the stat lane before the overnight
    one, what came first before what came later. A batch is then full as long as there is a backlog,
    and a fresh study waits for one batch and not for the backlog.

    Parameters
    ----------
    study_row
        Its images count as announced, whatever the outbox says of it yet.
    worker
        Who claims.
    maximum_attempts
        An image that has had them is claimed to be given up, which is no attempt.

    Returns
    -------
    list of ClaimedInstance
        Never tried before, or exactly one that was.
    """
    announced = exists().where(
        OutboxRow.study_row == InstanceRow.study_row, OutboxRow.sent_at.is_not(None)
    )
    candidates = (
        select(InstanceRow)
        .where(
            _is_waiting(),
            or_(InstanceRow.claimed_until.is_(None), InstanceRow.claimed_until <= now),
            or_(InstanceRow.study_row == study_row, announced),
        )
        .order_by(InstanceRow.lane, InstanceRow.id)
        .with_for_update(skip_locked=True)
    )
    claimed = session.scalars(candidates.limit(1)).all()
    if claimed and claimed[0].attempts == 0:
        untried = candidates.where(InstanceRow.attempts == 0)
        claimed = session.scalars(untried.limit(limit)).all()
    studies = _uids(session, {row.study_row for row in claimed})
    found = []
    for row in claimed:
        attempt = row.attempts + 1
        row.attempts = attempt if maximum_attempts is None else min(attempt, maximum_attempts)
        row.claimed_until = now + lease
        row.claimed_by = worker
        found.append(
            ClaimedInstance(
                row=row.id,
                study_row=row.study_row,
                study_instance_uid=studies[row.study_row],
                digest=row.digest,
                sop_instance_uid=row.sop_instance_uid,
                sop_class_uid=row.sop_class_uid,
                attempt=attempt,
                last_error=row.last_error,
            )
        )
    session.flush()
    return found


def _uids(session: Session, studies: Collection[int]) -> dict[int, str]:
    query = select(StudyRow.id, StudyRow.study_instance_uid).where(StudyRow.id.in_(studies))
    return {found.id: found.study_instance_uid for found in session.execute(query)}


def _is_waiting() -> ColumnElement[bool]:
    # Written out: with a parameter SQLite cannot know that the index of what waits will do.
    waiting = literal(InstanceState.WAITING.value, literal_execute=True)
    return InstanceRow.state == waiting


def prolong(session: Session, rows: Collection[int], *, worker: str, until: dt.datetime) -> int:
    """Hold claimed images for longer, and return how many of them are still held.

    One whose lease had lapsed and that another has claimed stays the other's.
    """
    # One that another transaction has in hand is being recorded: to wait for it, with others locked
    # already, is how two transactions wait for each other.
    free = (
        select(InstanceRow.id)
        .where(InstanceRow.id.in_(rows), _is_waiting(), InstanceRow.claimed_by == worker)
        .with_for_update(skip_locked=True)
    )
    held = session.scalars(
        update(InstanceRow)
        .where(InstanceRow.id.in_(free))
        .values(claimed_until=until)
        .returning(InstanceRow.id)
    )
    return len(held.all())


def release(
    session: Session,
    row: int,
    *,
    worker: str,
    error: str,
    retry_at: dt.datetime,
    counts: bool = True,
) -> None:
    """Give back an image that failed, to be tried again at ``retry_at``.

    Parameters
    ----------
    worker
        Who gives it back: a claim that has lapsed and is another's by now stays the other's.
    counts
        Whether it was an attempt at the image. It was not, if the machine was at fault.
    """
    attempts = InstanceRow.attempts if counts else InstanceRow.attempts - 1
    # What the image itself did is not forgotten for a fault of the machine.
    said = literal(error) if counts else func.coalesce(InstanceRow.last_error, error)
    session.execute(
        update(InstanceRow)
        .where(
            InstanceRow.id == row,
            InstanceRow.state == InstanceState.WAITING.value,
            InstanceRow.claimed_by == worker,
        )
        .values(claimed_until=retry_at, claimed_by=None, last_error=said, attempts=attempts)
    )
