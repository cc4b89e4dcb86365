"""Which files the archive must have, by the records: all but those that a rule removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.records.removals import is_gone
from screening.records.schema import ConflictRow, InstanceRow, StudyRow


@dataclass(frozen=True, slots=True)
class Archived:
    """A file that an instance, or the other bytes under its UID, must have."""

    sop_instance_uid: str
    digest: str
    transfer_syntax_uid: str
    study_instance_uid: str
    accession_number: str | None


def archived_files(session: Session) -> Iterator[Archived]:
    """Yield every one, in the order in which they came; conflicts at the end."""
    study = StudyRow.study_instance_uid, StudyRow.accession_number
    instances = (
        select(
            InstanceRow.sop_instance_uid,
            InstanceRow.digest,
            InstanceRow.transfer_syntax_uid,
            *study,
        )
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(~is_gone(InstanceRow.digest))
        .order_by(InstanceRow.id)
    )
    conflicts = (
        select(
            InstanceRow.sop_instance_uid,
            ConflictRow.digest,
            ConflictRow.transfer_syntax_uid,
            *study,
        )
        .join(InstanceRow, InstanceRow.id == ConflictRow.instance_row)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(~is_gone(ConflictRow.digest))
        .order_by(ConflictRow.id)
    )
    for query in (instances, conflicts):
        for row in session.execute(query.execution_options(yield_per=1000)):
            yield Archived(*row)
