"""A worker claims a study's waiting images for a while; nobody else takes them until it lapses.

The attempt is counted when the claim is made, not when it ends: an image that kills its process
still reaches its last attempt. An image that failed once is claimed alone from then on, so that it
cannot take its neighbours with it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.records.schema import InstanceRow


@dataclass(frozen=True, slots=True)
class ClaimedInstance:
    """One image to score: its row, where its bytes lie, its UIDs and the number of this attempt."""

    row: int
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
) -> list[ClaimedInstance]:
    """Claim up to ``limit`` waiting images of a study, fewer or none if others hold them.

    Returns
    -------
    list of ClaimedInstance
        Never tried before, or exactly one that was.
    """
    candidates = session.scalars(
        select(InstanceRow)
        .where(
            InstanceRow.study_row == study_row,
            InstanceRow.state == InstanceState.WAITING.value,
            or_(InstanceRow.claimed_until.is_(None), InstanceRow.claimed_until <= now),
        )
        .order_by(InstanceRow.attempts, InstanceRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    untried = [row for row in candidates if row.attempts == 0]
    claimed = untried or list(candidates[:1])
    for row in claimed:
        row.attempts += 1
        row.claimed_until = now + lease
        row.claimed_by = worker
    session.flush()
    return [
        ClaimedInstance(
            row=row.id,
            digest=row.digest,
            sop_instance_uid=row.sop_instance_uid,
            sop_class_uid=row.sop_class_uid,
            attempt=row.attempts,
            last_error=row.last_error,
        )
        for row in claimed
    ]


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
    session.execute(
        update(InstanceRow)
        .where(
            InstanceRow.id == row,
            InstanceRow.state == InstanceState.WAITING.value,
            InstanceRow.claimed_by == worker,
        )
        .values(claimed_until=retry_at, last_error=error, attempts=attempts)
    )
