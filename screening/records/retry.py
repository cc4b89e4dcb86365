"""Images that were not scored are given another chance, by a person or by their sender."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.reason import Exclusion, Reason
from screening.records.filing import reopen_study
from screening.records.outbox import postpone
from screening.records.removals import is_gone
from screening.records.result_schema import ExclusionRow
from screening.records.schema import InstanceRow, StudyRow


@dataclass(frozen=True, slots=True)
class Unscored:
    """An image that was not scored, and why."""

    study_instance_uid: str
    sop_instance_uid: str
    exclusion: Exclusion


def find_unscored(
    session: Session,
    reasons: Collection[Reason],
    study_instance_uid: str | None = None,
    limit: int | None = None,
) -> list[Unscored]:
    """Return images that have one of some reasons, in the order in which they came.

    Parameters
    ----------
    reasons
        From the closed list.
    study_instance_uid
        Of this study alone, if given.
    limit
        At most so many.
    """
    found = session.execute(
        select(StudyRow.study_instance_uid, InstanceRow.sop_instance_uid, ExclusionRow)
        .join(InstanceRow, InstanceRow.id == ExclusionRow.instance_row)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(*_wanted(reasons, study_instance_uid))
        .order_by(InstanceRow.id)
        .limit(limit)
    )
    return [
        Unscored(study, sop, Exclusion(Reason(row.reason), row.detail)) for study, sop, row in found
    ]


def studies_with(
    session: Session, reasons: Collection[Reason], study_instance_uid: str | None = None
) -> list[int]:
    """Return the rows of the studies in which `find_unscored` finds images."""
    found = session.scalars(
        select(StudyRow.id)
        .join(InstanceRow, InstanceRow.study_row == StudyRow.id)
        .join(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
        .where(*_wanted(reasons, study_instance_uid))
        .distinct()
        .order_by(StudyRow.id)
    )
    return list(found)


def retry_study(
    session: Session, study_row: int, reasons: Collection[Reason], now: dt.datetime
) -> int:
    """Let a study's images wait again, with all their attempts, and have it announced.

    Returns
    -------
    int
        How many images it was.
    """
    connection = session.connection()
    images = wait_again(connection, study_row, reasons)
    if images:
        postpone(connection, study_row, now)
    return images


def wait_again(
    connection: Connection,
    study_row: int,
    reasons: Collection[Reason],
    instance_row: int | None = None,
) -> int:
    """Take back the reasons of a study's images, or of one of them, and return how many it was."""
    images = select(InstanceRow.id).where(
        InstanceRow.study_row == study_row, ~is_gone(InstanceRow.digest)
    )
    if instance_row is not None:
        images = images.where(InstanceRow.id == instance_row)
    excluded = (
        ExclusionRow.instance_row.in_(images),
        ExclusionRow.reason.in_([reason.value for reason in reasons]),
    )
    if connection.scalar(select(ExclusionRow.instance_row).where(*excluded).limit(1)) is None:
        return 0
    # The study first, as whoever writes a result does: else each could hold what the other needs.
    connection.execute(select(StudyRow.id).where(StudyRow.id == study_row).with_for_update())
    taken_back = delete(ExclusionRow).where(*excluded).returning(ExclusionRow.instance_row)
    rows = connection.scalars(taken_back).all()
    fresh = {"attempts": 0, "claimed_until": None, "claimed_by": None, "last_error": None}
    told = {"is_told": True}
    connection.execute(
        update(InstanceRow)
        .where(InstanceRow.id.in_(rows))
        .values(state=InstanceState.WAITING.value, **fresh, **told)
    )
    if rows:
        reopen_study(connection, study_row)
    return len(rows)


def _wanted(
    reasons: Collection[Reason], study_instance_uid: str | None
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [
        ExclusionRow.reason.in_([reason.value for reason in reasons]),
        # Nobody can read what a rule removed.
        ~is_gone(InstanceRow.digest),
    ]
    if study_instance_uid is not None:
        wanted.append(StudyRow.study_instance_uid == study_instance_uid)
    return wanted
