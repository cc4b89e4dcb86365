"""How many images there are, by where they stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.records.result_schema import ExclusionRow
from screening.records.schema import ConflictRow, InstanceRow


@dataclass(frozen=True, slots=True)
class Tally:
    """Every image that was answered 0x0000, by where it stands; it always adds up.

    Attributes
    ----------
    received
        The sum of the next three.
    reasons
        How many were not scored for each reason.
    conflicts
        Other data sets that came under the UID of an image that we hold.
    oldest_waiting_since
        When the image came that waits longest, whatever the rest is counted from.
    """

    received: int
    scored: int
    not_scored: int
    waiting: int
    reasons: Mapping[str, int]
    conflicts: int
    oldest_waiting_since: dt.datetime | None


def tally(session: Session, since: dt.datetime | None = None) -> Tally:
    """Count every image that we ever acknowledged, or those that came ``since`` a moment."""
    images = select(InstanceRow.state, func.count()).group_by(InstanceRow.state)
    reasons = select(ExclusionRow.reason, func.count()).group_by(ExclusionRow.reason)
    conflicts = select(func.count()).select_from(ConflictRow)
    if since is not None:
        images = images.where(InstanceRow.received_at >= since)
        reasons = reasons.join(InstanceRow, InstanceRow.id == ExclusionRow.instance_row).where(
            InstanceRow.received_at >= since
        )
        conflicts = conflicts.where(ConflictRow.received_at >= since)
    states = dict(session.execute(images).all())
    return Tally(
        received=sum(states.values()),
        scored=states.get(InstanceState.SCORED, 0),
        not_scored=states.get(InstanceState.NOT_SCORED, 0),
        waiting=states.get(InstanceState.WAITING, 0),
        reasons=dict(session.execute(reasons).all()),
        conflicts=session.scalar(conflicts) or 0,
        oldest_waiting_since=session.scalar(
            select(InstanceRow.received_at)
            .where(InstanceRow.state == InstanceState.WAITING.value)
            .order_by(InstanceRow.received_at)
            .limit(1)
        ),
    )
