"""What goes back to a PACS: planned when a study changes, tried until it is acknowledged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from screening.domain.delivery import DeliveryState
from screening.errors import DeliveryError
from screening.records.changes import ChangedStudy, take_change
from screening.records.delivered import DeliveredObject, objects_of
from screening.records.delivery_schema import DeliveredObjectRow, DeliveryRow
from screening.records.dialect import insert_for
from screening.records.schema import StudyRow


@dataclass(frozen=True, slots=True)
class Delivery:
    """A study's results on their way to one destination.

    Attributes
    ----------
    row
        Of the delivery.
    changes
        What was new when this was read, as a number: `settle` refuses to settle what came since.
    again
        Whether what has arrived before is to be sent once more.
    taken_at
        Since when a courier is at it; ``None`` while nobody is.
    objects
        What has been acknowledged, in the order in which it was.
    """

    row: int
    study_instance_uid: str
    destination: str
    state: DeliveryState
    changes: int
    again: bool
    attempts: int
    due_at: dt.datetime
    first_due_at: dt.datetime
    taken_at: dt.datetime | None
    settled_at: dt.datetime | None
    last_error: str | None
    objects: tuple[DeliveredObject, ...] = ()


def told(session: Session, study_row: int) -> frozenset[str]:
    """Return the destinations at which something of a study has arrived."""
    arrived = select(DeliveryRow.destination).join(
        DeliveredObjectRow, DeliveredObjectRow.delivery_row == DeliveryRow.id
    )
    return frozenset(session.scalars(arrived.where(DeliveryRow.study_row == study_row)))


def plan(
    session: Session, study: ChangedStudy, destinations: Iterable[str], now: dt.datetime
) -> bool:
    """Make a study's results due at destinations, unless it has changed meanwhile.

    Returns
    -------
    bool
        Whether that was done; else it stays to be planned.
    """
    if not take_change(session, study):
        return False
    for destination in destinations:
        _make_due(session, study.row, destination, now, again=False)
    return True


def _make_due(
    session: Session, study_row: int, destination: str, now: dt.datetime, *, again: bool
) -> None:
    new = insert_for(session, DeliveryRow)
    values = {
        "state": DeliveryState.DUE.value,
        "again": again,
        "attempts": 0,
        "due_at": now,
        "first_due_at": now,
        "taken_at": None,
        "settled_at": None,
        "last_error": None,
    }
    session.execute(
        new.values(
            study_row=study_row, destination=destination, changes=1, **values
        ).on_conflict_do_update(
            index_elements=["study_row", "destination"],
            # Who asked for everything once more gets it, whatever is new besides.
            set_={
                **values,
                "again": True if again else DeliveryRow.again,
                "changes": DeliveryRow.changes + 1,
            },
        )
    )


def resend(
    session: Session,
    study_instance_uid: str,
    destinations: Collection[str],
    now: dt.datetime,
) -> None:
    """Send a study's results once more, whatever has arrived.

    Raises
    ------
    DeliveryError
        If we never received the study.
    """
    row = session.scalar(
        select(StudyRow.id).where(StudyRow.study_instance_uid == study_instance_uid)
    )
    if row is None:
        raise DeliveryError(f"no image of study {study_instance_uid} was received")
    for destination in destinations:
        _make_due(session, row, destination, now, again=True)


def tell(
    session: Session, delivery: Delivery, destinations: Iterable[str], now: dt.datetime
) -> None:
    """Make a delivery's study due elsewhere: something is to be told of it."""
    row = session.scalar(select(DeliveryRow.study_row).where(DeliveryRow.id == delivery.row))
    assert row is not None, "deliveries are never deleted"
    for destination in destinations:
        _make_due(session, row, destination, now, again=False)


def take_due(
    session: Session,
    destination: str,
    now: dt.datetime,
    lease: dt.timedelta,
    tried: Collection[int] = (),
) -> Delivery | None:
    """Take what a destination is to be sent next, the longest due first; ``None`` if nothing is.

    Parameters
    ----------
    session
        An open transaction that writes.
    lease
        For how long it is ours: another courier leaves it alone, and takes it up after.
    tried
        Rows of deliveries that are not to be taken.
    """
    row = session.scalar(
        select(DeliveryRow.id)
        .where(
            DeliveryRow.destination == destination,
            DeliveryRow.state == DeliveryState.DUE.value,
            DeliveryRow.due_at <= now,
            DeliveryRow.id.not_in(tried),
        )
        .order_by(DeliveryRow.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    session.execute(
        update(DeliveryRow).where(DeliveryRow.id == row).values(due_at=now + lease, taken_at=now)
    )
    session.flush()
    (taken,) = _read(session, DeliveryRow.id == row, limit=None)
    return taken


def note_strangers(session: Session, names: Collection[str]) -> int:
    """Say of what is due at nobody whom we know that this is why it stays; return how many."""
    found = session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.state == DeliveryState.DUE.value, DeliveryRow.destination.not_in(names))
        .values(last_error="no destination of this name is in the file any more")
        .returning(DeliveryRow.id)
    )
    return len(found.all())


def count_strangers(session: Session, names: Collection[str]) -> int:
    """Return how many deliveries are due at nobody whom we know."""
    query = select(func.count()).where(
        DeliveryRow.state == DeliveryState.DUE.value, DeliveryRow.destination.not_in(names)
    )
    return session.scalar(query) or 0


def hasten(session: Session, destinations: Collection[str], now: dt.datetime) -> int:
    """Make due now whatever has not arrived, given up or not; return how many deliveries."""
    found = session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.state != DeliveryState.DELIVERED.value,
            DeliveryRow.destination.in_(destinations),
            # What a courier is at it brings in any case.
            DeliveryRow.taken_at.is_(None) | (DeliveryRow.due_at <= now),
        )
        .values(
            state=DeliveryState.DUE.value,
            changes=DeliveryRow.changes + 1,
            attempts=0,
            due_at=now,
            first_due_at=now,
            taken_at=None,
            settled_at=None,
        )
        .returning(DeliveryRow.id)
    )
    return len(found.all())


def is_any_due(session: Session, destination: str, now: dt.datetime) -> bool:
    """Say whether a destination is to be sent anything: a look that writes nothing."""
    found = select(DeliveryRow.id).where(
        DeliveryRow.destination == destination,
        DeliveryRow.state == DeliveryState.DUE.value,
        DeliveryRow.due_at <= now,
    )
    return session.scalar(found.limit(1)) is not None


def were_any(session: Session) -> bool:
    """Say whether anything was ever to be delivered."""
    return session.scalar(select(DeliveryRow.id).limit(1)) is not None


def deliveries_of(session: Session, study_instance_uid: str) -> list[Delivery]:
    """Return what became of a study's results at each destination."""
    return _read(session, StudyRow.study_instance_uid == study_instance_uid, limit=None)


def list_deliveries(
    session: Session,
    *,
    states: Collection[DeliveryState] = (),
    destination: str = "",
    limit: int | None = 50,
) -> list[Delivery]:
    """Return deliveries, the longest due first; of some states or all."""
    conditions: list[ColumnElement[bool]] = []
    if states:
        conditions.append(DeliveryRow.state.in_([state.value for state in states]))
    if destination:
        conditions.append(DeliveryRow.destination == destination)
    return _read(session, *conditions, limit=limit)


def count_deliveries(session: Session) -> dict[tuple[str, DeliveryState], int]:
    """Count deliveries by destination and state."""
    counted = session.execute(
        select(DeliveryRow.destination, DeliveryRow.state, func.count()).group_by(
            DeliveryRow.destination, DeliveryRow.state
        )
    )
    return {(name, DeliveryState(state)): count for name, state, count in counted}


def settle(
    session: Session,
    delivery: Delivery,
    state: DeliveryState,
    now: dt.datetime,
    *,
    error: str | None = None,
    due_at: dt.datetime | None = None,
) -> None:
    """Record how an attempt ended, unless something new has come since the delivery was read.

    Parameters
    ----------
    state
        Due again, delivered or dead.
    error
        What prevented it.
    due_at
        When to try again.
    """
    is_over = state is not DeliveryState.DUE
    values = {
        "state": state.value,
        "attempts": delivery.attempts + 1,
        "last_error": error,
        "settled_at": now if is_over else None,
        "due_at": due_at or now,
        "taken_at": None,
    }
    if state is DeliveryState.DELIVERED:
        values["again"] = False
    session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.id == delivery.row,
            DeliveryRow.changes == delivery.changes,
            # As it was taken: after its lease it is another courier's.
            DeliveryRow.due_at == delivery.due_at,
        )
        .values(**values)
    )


def _read(session: Session, *conditions: ColumnElement[bool], limit: int | None) -> list[Delivery]:
    query = (
        select(DeliveryRow, StudyRow.study_instance_uid)
        .join(StudyRow, StudyRow.id == DeliveryRow.study_row)
        .where(*conditions)
        .order_by(DeliveryRow.due_at, DeliveryRow.id)
        .limit(limit)
    )
    found = session.execute(query).all()
    objects = objects_of(session, [row.id for row, _ in found])
    return [
        Delivery(
            row=row.id,
            study_instance_uid=uid,
            destination=row.destination,
            state=DeliveryState(row.state),
            changes=row.changes,
            again=row.again,
            attempts=row.attempts,
            due_at=row.due_at,
            first_due_at=row.first_due_at,
            taken_at=row.taken_at,
            settled_at=row.settled_at,
            last_error=row.last_error,
            objects=tuple(objects.get(row.id, ())),
        )
        for row, uid in found
    ]
