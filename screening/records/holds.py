"""Studies on hold: their pixels stay whatever the rules say, as for a court or for teaching."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.errors import HoldError
from screening.records.keeping_schema import HoldRow
from screening.records.schema import StudyRow

LONGEST = 256
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A study that stays, who wants it and why; the release is empty while it holds."""

    number: int
    study_instance_uid: str
    why: str
    placed_by: str
    placed_at: dt.datetime
    released_by: str | None
    released_at: dt.datetime | None


def place_hold(
    session: Session, study_instance_uid: str, why: str, placed_by: str, now: dt.datetime
) -> Hold:
    """Put a study on hold; beside another hold, which stands for itself.

    Raises
    ------
    HoldError
        If we never received the study, or the reason is none, too long or of several lines.
    """
    why = why.strip()
    if not 0 < len(why) <= LONGEST or not why.isprintable():
        raise HoldError(f"say why, on one line of at most {LONGEST} characters")
    row = session.scalar(
        select(StudyRow.id)
        .where(StudyRow.study_instance_uid == study_instance_uid)
        # Whoever is about to remove its pixels has it: the hold is before that or after.
        .with_for_update()
    )
    if row is None:
        raise HoldError(f"no image of study {study_instance_uid} was received")
    made = HoldRow(study_row=row, why=why, placed_by=placed_by, placed_at=now)
    session.add(made)
    session.flush()
    return _hold(made, study_instance_uid)


def release_hold(session: Session, number: int, released_by: str, now: dt.datetime) -> Hold:
    """Release a hold; it stays on record.

    Raises
    ------
    HoldError
        If there is no such hold, or it is released already.
    """
    row = session.get(HoldRow, number, with_for_update=True)
    if row is None:
        raise HoldError(f"there is no hold {number}: nightread hold lists them")
    if row.released_at is not None:
        raise HoldError(f"hold {number} was released on {row.released_at:%Y-%m-%d}")
    row.released_by, row.released_at = released_by, now
    session.flush()
    uid = session.scalars(select(StudyRow.study_instance_uid).where(StudyRow.id == row.study_row))
    return _hold(row, uid.one())


def list_holds(session: Session, *, everything: bool = False) -> list[Hold]:
    """Return the holds that stand, or all that ever did, the oldest first."""
    query = select(HoldRow, StudyRow.study_instance_uid).join(
        StudyRow, StudyRow.id == HoldRow.study_row
    )
    if not everything:
        query = query.where(HoldRow.released_at.is_(None))
    return [_hold(row, uid) for row, uid in session.execute(query.order_by(HoldRow.id))]


def holds_on(session: Session, study_row: int) -> tuple[Hold, ...]:
    """Return the holds that stand on a study, the oldest first."""
    query = select(HoldRow, StudyRow.study_instance_uid).join(
        StudyRow, StudyRow.id == HoldRow.study_row
    )
    standing = HoldRow.study_row == study_row, HoldRow.released_at.is_(None)
    return tuple(
        _hold(row, uid) for row, uid in session.execute(query.where(*standing).order_by(HoldRow.id))
    )


def _hold(row: HoldRow, study_instance_uid: str) -> Hold:
    return Hold(
        row.id,
        study_instance_uid,
        row.why,
        row.placed_by,
        row.placed_at,
        row.released_by,
        row.released_at,
    )
