"""What keeps the pixels of a study though its time is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from screening.domain.delivery import DeliveryState
from screening.domain.instance import InstanceState
from screening.domain.night_batch import BatchState
from screening.domain.reason import Reason
from screening.domain.retention import Hindrance
from screening.records.adoption import unsettled
from screening.records.delivery_schema import ChangedStudyRow, DeliveryRow
from screening.records.keeping_schema import HoldRow
from screening.records.night_schema import BatchRow, BatchStudyRow
from screening.records.result_schema import ExclusionRow
from screening.records.schema import InstanceRow, StudyRow


def hindrances_of(
    session: Session, rows: Sequence[int], places: Collection[str] | None
) -> dict[Hindrance, set[int]]:
    """Return which of the studies are held back, by what."""
    queries: dict[Hindrance, list[Select[int]]] = {
        Hindrance.ON_HOLD: [
            select(HoldRow.study_row).where(
                HoldRow.study_row.in_(rows), HoldRow.released_at.is_(None)
            )
        ],
        # A claim is a waiting image's.
        Hindrance.WAITING: [
            select(InstanceRow.study_row).where(
                InstanceRow.study_row.in_(rows), InstanceRow.state == InstanceState.WAITING.value
            )
        ],
        Hindrance.FAILED: [
            select(InstanceRow.study_row)
            .join(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
            .where(InstanceRow.study_row.in_(rows), ExclusionRow.reason == Reason.ERROR.value)
        ],
        Hindrance.UNDELIVERED: _undelivered(rows, places),
        Hindrance.IN_BATCH: [
            select(StudyRow.id)
            .join(BatchStudyRow, BatchStudyRow.study_instance_uid == StudyRow.study_instance_uid)
            .join(BatchRow, BatchRow.id == BatchStudyRow.batch_row)
            .where(
                StudyRow.id.in_(rows),
                BatchRow.state.in_([BatchState.RUNNING.value, BatchState.PAUSED.value]),
            )
        ],
    }
    found = {
        why: {row for query in parts for row in session.scalars(query)}
        for why, parts in queries.items()
    }
    return {**found, Hindrance.OTHER_PATIENT: unsettled(session, rows)}


def _undelivered(rows: Sequence[int], places: Collection[str] | None) -> list[Select[int]]:
    """Return what finds studies of which somebody is still to be told.

    What is due at a destination that the file does not name any more holds nothing back. Without a
    file nobody knows whether it is; nor whether what was not planned will be, unless nothing ever
    was: the file may be the courier's alone.
    """
    due = select(DeliveryRow.study_row).where(
        DeliveryRow.study_row.in_(rows), DeliveryRow.state != DeliveryState.DELIVERED.value
    )
    untold = select(ChangedStudyRow.study_row).where(ChangedStudyRow.study_row.in_(rows))
    if places is None:
        return [due, untold.where(exists(select(DeliveryRow.id)))]
    return [due.where(DeliveryRow.destination.in_(places)), untold]
