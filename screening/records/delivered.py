"""What has arrived at a destination: an object, or a notice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from screening.records.delivery_schema import DeliveredObjectRow
from screening.records.dialect import insert_for


@dataclass(frozen=True, slots=True)
class DeliveredObject:
    """An object that a destination has acknowledged."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    version: str
    status: int
    acknowledged_at: dt.datetime
    times: int
    committed_at: dt.datetime | None


def acknowledge(session: Session, delivery_row: int, objects: Iterable[DeliveredObject]) -> None:
    """Record objects that the destination has acknowledged."""
    for each in objects:
        values = {
            "kind": each.kind,
            "sop_class_uid": each.sop_class_uid,
            "version": each.version,
            "status": each.status,
            "acknowledged_at": each.acknowledged_at,
        }
        new = insert_for(session, DeliveredObjectRow)
        session.execute(
            new.values(
                delivery_row=delivery_row, sop_instance_uid=each.sop_instance_uid, times=1, **values
            ).on_conflict_do_update(
                index_elements=["delivery_row", "sop_instance_uid"],
                set_={**values, "times": DeliveredObjectRow.times + 1},
            )
        )


def commit_objects(
    session: Session, delivery_row: int, uids: Collection[str], now: dt.datetime
) -> None:
    """Record that the destination keeps objects."""
    session.execute(
        update(DeliveredObjectRow)
        .where(
            DeliveredObjectRow.delivery_row == delivery_row,
            DeliveredObjectRow.sop_instance_uid.in_(uids),
        )
        .values(committed_at=now)
    )


def disown_objects(session: Session, delivery_row: int, uids: Collection[str]) -> None:
    """Forget that objects arrived: the destination says that it does not keep them."""
    session.execute(
        delete(DeliveredObjectRow).where(
            DeliveredObjectRow.delivery_row == delivery_row,
            DeliveredObjectRow.sop_instance_uid.in_(uids),
        )
    )


def objects_of(session: Session, deliveries: Collection[int]) -> dict[int, list[DeliveredObject]]:
    """Return what has arrived of deliveries, by their rows, in the order in which it did."""
    found: dict[int, list[DeliveredObject]] = {}
    query = (
        select(DeliveredObjectRow)
        .where(DeliveredObjectRow.delivery_row.in_(deliveries))
        .order_by(DeliveredObjectRow.id)
    )
    for row in session.scalars(query):
        found.setdefault(row.delivery_row, []).append(
            DeliveredObject(
                row.kind,
                row.sop_class_uid,
                row.sop_instance_uid,
                row.version,
                row.status,
                row.acknowledged_at,
                row.times,
                row.committed_at,
            )
        )
    return found
