"""What the records say that the archive holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.records.parts import in_parts
from screening.records.removals import is_gone
from screening.records.schema import ConflictRow, InstanceRow, SeriesRow, StudyRow


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """Class and digest of an instance that has a row, and whether a rule removed its file."""

    sop_class_uid: str
    digest: str
    is_gone: bool = False


def held_instances(session: Session, sop_instance_uids: Sequence[str]) -> dict[str, HeldInstance]:
    """Return those of the instances that have a row, by SOP Instance UID."""
    found: dict[str, HeldInstance] = {}
    for part in in_parts(sop_instance_uids):
        rows = session.execute(
            select(
                InstanceRow.sop_instance_uid,
                InstanceRow.sop_class_uid,
                InstanceRow.digest,
                is_gone(InstanceRow.digest),
            ).where(InstanceRow.sop_instance_uid.in_(part))
        )
        found |= {uid: HeldInstance(kind, digest, bool(gone)) for uid, kind, digest, gone in rows}
    return found


def held_by_series(session: Session, study_instance_uid: str) -> dict[str, frozenset[str]]:
    """Return the SOP Instance UIDs of a study that have a row, by Series Instance UID."""
    rows = session.execute(
        select(SeriesRow.series_instance_uid, InstanceRow.sop_instance_uid)
        .join(InstanceRow, InstanceRow.series_row == SeriesRow.id)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(StudyRow.study_instance_uid == study_instance_uid)
    )
    found: dict[str, set[str]] = {}
    for series, uid in rows:
        found.setdefault(series, set()).add(uid)
    return {series: frozenset(uids) for series, uids in found.items()}


def held_digests(session: Session, digests: Sequence[str]) -> set[str]:
    """Return those of the digests that an instance or a conflict has."""
    found: set[str] = set()
    for part in in_parts(digests):
        for table in (InstanceRow, ConflictRow):
            found.update(session.scalars(select(table.digest).where(table.digest.in_(part))))
    return found
