"""The lines of the ledger: every SOP instance from its association to its verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.records.result_schema import ExclusionRow, ScoreRow
from screening.records.schema import InstanceRow, StudyRow

# Held in memory at once.
_PIECE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One SOP instance, without anything about its patient.

    Attributes
    ----------
    association
        The number of the association that it came by.
    digest
        BLAKE3 of its transfer syntax and data set, by which its file is found.
    verdict, probability
        Its newest score; ``None`` where it has none, or waits for another model's.
    reason
        Why it has no score; ``None`` where it has one or waits.
    settled_at
        When it got its score or its reason; ``None`` while it waits.
    """

    sop_instance_uid: str
    study_instance_uid: str
    association: int
    received_at: dt.datetime
    digest: str
    state: InstanceState
    verdict: str | None
    probability: float | None
    reason: str | None
    settled_at: dt.datetime | None


def read_entries(session: Session, since: dt.datetime | None = None) -> Iterator[Entry]:
    """Yield every instance that came ``since`` a moment, or ever, in the order of their coming.

    They are one statement's, so of one moment, and read piece by piece.
    """
    newest = (
        select(func.max(ScoreRow.id))
        .where(
            ScoreRow.instance_row == InstanceRow.id,
            InstanceRow.state == InstanceState.SCORED.value,
        )
        .correlate(InstanceRow)
        .scalar_subquery()
    )
    query = (
        select(
            InstanceRow.sop_instance_uid,
            StudyRow.study_instance_uid,
            InstanceRow.association_row,
            InstanceRow.received_at,
            InstanceRow.digest,
            InstanceRow.state,
            ScoreRow.verdict,
            ScoreRow.probability,
            ExclusionRow.reason,
            func.coalesce(ScoreRow.scored_at, ExclusionRow.excluded_at),
        )
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .outerjoin(ScoreRow, ScoreRow.id == newest)
        .outerjoin(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
        .order_by(InstanceRow.id)
        .execution_options(yield_per=_PIECE)
    )
    if since is not None:
        query = query.where(InstanceRow.received_at >= since)
    for uid, study, association, received, digest, state, *settled in session.execute(query):
        yield Entry(uid, study, association, received, digest, InstanceState(state), *settled)
