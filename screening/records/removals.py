"""Files that a rule removed: whether one did, how many, and what comes again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from screening.domain.reason import Reason
from screening.domain.retention import Removal
from screening.errors import ArchiveError
from screening.records.dialect import Insert
from screening.records.keeping_schema import RemovalRow
from screening.records.parts import in_parts
from screening.records.prepared import Prepared
from screening.records.result_schema import ExclusionRow
from screening.records.schema import InstanceRow, StudyRow

IsThere = Callable[[str], bool]
"""Says of a digest whether its file is in the archive."""


def is_gone(digest: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Say of a row's digest whether its file was removed, or is to be, on purpose."""
    return exists().where(RemovalRow.digest == digest, RemovalRow.returned_at.is_(None))


def removals_of(session: Session, digests: Collection[str]) -> dict[str, Removal]:
    """Return what was removed of some digests."""
    gone = select(RemovalRow.digest, RemovalRow.decided_at, RemovalRow.rule).where(
        RemovalRow.returned_at.is_(None)
    )
    return {
        digest: Removal(at, rule)
        for part in in_parts(digests)
        for digest, at, rule in session.execute(gone.where(RemovalRow.digest.in_(part)))
    }


def removed_digests(session: Session, digests: Collection[str]) -> set[str]:
    """Return those whose file was removed and has not come again: nothing should be there."""
    done = select(RemovalRow.digest).where(
        RemovalRow.removed_at.is_not(None), RemovalRow.returned_at.is_(None)
    )
    return {
        digest
        for part in in_parts(digests)
        for digest in session.scalars(done.where(RemovalRow.digest.in_(part)))
    }


def is_any_gone(session: Session, study_instance_uid: str) -> bool:
    """Say whether a file of a study was removed, or is to be."""
    query = (
        select(InstanceRow.id)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(StudyRow.study_instance_uid == study_instance_uid, is_gone(InstanceRow.digest))
    )
    return session.scalar(query.limit(1)) is not None


def are_all_gone(session: Session, study_row: int) -> bool:
    """Say whether the file of each image of a study was removed, or is to be.

    What we made ourselves, and came back, is no such image.
    """
    kept = (
        select(InstanceRow.id)
        .outerjoin(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
        .where(
            InstanceRow.study_row == study_row,
            ExclusionRow.reason.is_distinct_from(Reason.DERIVED_BY_US.value),
        )
    )
    left = session.scalar(kept.where(~is_gone(InstanceRow.digest)).limit(1))
    return left is None and session.scalar(kept.limit(1)) is not None


def count_removed(session: Session, since: dt.datetime | None) -> dict[str, int]:
    """Count images that came since a moment, or ever, and whose file was removed, by rule."""
    query = (
        select(RemovalRow.rule, func.count().label("images"))
        .join(InstanceRow, InstanceRow.digest == RemovalRow.digest)
        .where(RemovalRow.returned_at.is_(None))
        .group_by(RemovalRow.rule)
        .order_by(RemovalRow.rule)
    )
    if since is not None:
        query = query.where(InstanceRow.received_at >= since)
    return {row.rule: row.images for row in session.execute(query)}


@Prepared
def _take_back(_: Insert) -> Executable:
    gone = RemovalRow.digest == bindparam("of"), RemovalRow.returned_at.is_(None)
    return (
        update(RemovalRow)
        .where(*gone)
        .values(returned_at=bindparam("now"))
        .returning(RemovalRow.digest)
    )


def come_back(
    connection: Connection, digest: str, now: dt.datetime, is_there: IsThere | None
) -> None:
    """Note that bytes which a rule had removed came again, and lie in the archive.

    Whoever removes a file holds its row while they do. So once this has the row the file stays, and
    what is to be found out is whether it went between its coming and now.

    Raises
    ------
    ArchiveError
        If it did: its sender is refused, and sends it once more.
    """
    if _take_back.scalar(connection, of=digest, now=now) is None:
        return
    if is_there is not None and not is_there(digest):
        raise ArchiveError("a retention rule removed it at this very moment: send it again")
