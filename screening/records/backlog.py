"""What waits, in numbers: for monitors, who ask every few seconds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.night_batch import BatchState
from screening.records.night_schema import BatchRow
from screening.records.schema import InstanceRow


@dataclass(frozen=True, slots=True)
class Backlog:
    """Images of one lane that wait for a worker, and since when the oldest does."""

    lane: Lane
    images: int
    since: dt.datetime


def read_backlog(session: Session) -> list[Backlog]:
    """Return what waits, by lane; nothing of a lane that is empty."""
    # Written out: with a parameter SQLite cannot know that the index of what waits will do.
    waits = InstanceRow.state == literal(InstanceState.WAITING.value, literal_execute=True)
    found = session.execute(
        select(InstanceRow.lane, func.count(), func.min(InstanceRow.received_at))
        .where(waits)
        .group_by(InstanceRow.lane)
    )
    return [Backlog(Lane(lane), count, since) for lane, count, since in found]


def open_batches(session: Session) -> int:
    """Count the batches that somebody is at work on."""
    at_work = BatchRow.state == BatchState.RUNNING.value
    return session.scalar(select(func.count()).select_from(BatchRow).where(at_work)) or 0
