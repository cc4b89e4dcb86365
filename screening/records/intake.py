"""An instance comes in: new, repeated, or in conflict with one that we hold."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Executable, bindparam, select, update

from screening.domain.instance import InstanceHeader, InstanceState
from screening.domain.kept_file import KeptFile
from screening.domain.lane import Lane
from screening.domain.reason import Reason
from screening.records.association import StoreCount, count_store
from screening.records.dialect import Insert, insert_of
from screening.records.filing import (
    file_patient,
    file_series,
    file_study,
    file_study_of_conflict,
)
from screening.records.identity_schema import ConflictPatientRow
from screening.records.outbox import postpone
from screening.records.prepared import Prepared
from screening.records.removals import IsThere, come_back
from screening.records.retry import wait_again
from screening.records.schema import ConflictRow, InstanceRow


class Arrival(StrEnum):
    """What an instance turned out to be."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


_COUNTS = {
    Arrival.NEW: StoreCount.STORED,
    Arrival.DUPLICATE: StoreCount.DUPLICATES,
    Arrival.CONFLICT: StoreCount.CONFLICTS,
}


@dataclass(frozen=True, slots=True)
class Intake:
    """The result of an instance's coming in.

    Attributes
    ----------
    arrival
        What it was.
    study_row
        The study of the instance that we hold under its UID.
    announce
        Whether there is something to score.
    """

    arrival: Arrival
    study_row: int
    announce: bool


def take_in(
    connection: Connection,
    header: InstanceHeader,
    kept: KeptFile,
    *,
    association_row: int,
    now: dt.datetime,
    announce_at: dt.datetime,
    lane: Lane = Lane.STAT,
    calling_ae_title: str | None = None,
    is_there: IsThere | None = None,
) -> Intake:
    """Record one instance whose bytes are safely in the archive.

    Parameters
    ----------
    connection
        An open transaction; the instance counts as received when it is committed.
    header
        What its header says.
    kept
        Where its bytes lie.
    association_row
        The association it came by.
    now, announce_at
        The present, and when its study is to be announced if nothing else comes. UTC.
    lane
        In which it waits.
    calling_ae_title
        Who sent it.
    is_there
        Asked of bytes that a rule had removed, while nobody can remove them again; ``None`` where
        nothing is removed meanwhile.

    Returns
    -------
    Intake
        ``DUPLICATE`` where the same data set came before, which changes nothing, unless it had
        failed at every attempt: then it is tried again. ``CONFLICT`` where other bytes hold this
        SOP Instance UID, which are kept and stay as they are.

    Raises
    ------
    ArchiveError
        If a rule removed the bytes after they had come, and before this.
    """
    intake = _repeated(connection, header, kept, association_row, now, is_there)
    if intake is None:
        intake = _new(connection, header, kept, association_row, now, lane, calling_ae_title)
    if intake is None:
        # Another association committed the same UID between our look and our insert.
        intake = _repeated(connection, header, kept, association_row, now, is_there)
        assert intake is not None
    if intake.announce:
        postpone(connection, intake.study_row, announce_at)
    count_store(connection, association_row, _COUNTS[intake.arrival])
    return intake


@Prepared
def _add_instance(insert: Insert) -> Executable:
    return (
        insert(InstanceRow)
        .on_conflict_do_nothing(index_elements=["sop_instance_uid"])
        .returning(InstanceRow.id)
    )


def _new(
    connection: Connection,
    header: InstanceHeader,
    kept: KeptFile,
    association_row: int,
    now: dt.datetime,
    lane: Lane,
    calling_ae_title: str | None,
) -> Intake | None:
    """File the instance in its study, or leave no trace and return ``None`` if it is there."""
    # On SQLite nobody else writes while this transaction is open.
    savepoint = connection.begin_nested() if connection.dialect.name == "postgresql" else None
    patient_row = file_patient(connection, header)
    study_row = file_study(
        connection, header, patient_row, now, calling_ae_title=calling_ae_title, lane=lane
    )
    values = {
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "study_row": study_row,
        "series_row": file_series(connection, header, study_row),
        "association_row": association_row,
        "patient_row": patient_row,
        "digest": kept.digest,
        "size_bytes": kept.size_bytes,
        "received_at": now,
        "instance_number": header.instance_number,
        "view_position": header.view_position,
        "laterality": header.laterality,
        "rows": header.rows,
        "columns": header.columns,
        "state": InstanceState.WAITING.value,
        "lane": lane.value,
        "attempts": 0,
        "rereadings": 0,
        "is_told": True,
    }
    row = _add_instance.scalar(connection, **values)
    if savepoint is not None:
        (savepoint.commit if row is not None else savepoint.rollback)()
    return Intake(Arrival.NEW, study_row, announce=True) if row is not None else None


@Prepared
def _find_instance(_: Insert) -> Executable:
    return select(InstanceRow.id, InstanceRow.digest, InstanceRow.study_row).where(
        InstanceRow.sop_instance_uid == bindparam("uid")
    )


@Prepared
def _set_size(_: Insert) -> Executable:
    changed = InstanceRow.id == bindparam("row"), InstanceRow.size_bytes != bindparam("size")
    return update(InstanceRow).where(*changed).values(size_bytes=bindparam("size"))


@Prepared
def _add_conflict(insert: Insert) -> Executable:
    adding = insert(ConflictRow)
    return adding.on_conflict_do_update(
        index_elements=["instance_row", "digest"],
        set_={"size_bytes": adding.excluded.size_bytes},
    )


def _repeated(
    connection: Connection,
    header: InstanceHeader,
    kept: KeptFile,
    association_row: int,
    now: dt.datetime,
    is_there: IsThere | None,
) -> Intake | None:
    """Recognise an instance that we hold: a no-op, or a conflict that is kept apart."""
    held = _find_instance.run(connection, uid=header.sop_instance_uid)
    if not held:
        return None
    ((row, digest, study_row),) = held
    come_back(connection, kept.digest, now, is_there)
    if digest == kept.digest:
        # The file has been replaced; what stands before its data set may be another sender's.
        _set_size.run(connection, row=row, size=kept.size_bytes)
        # One that failed at every attempt is tried again: its sender sent it again.
        again = wait_again(connection, study_row, (Reason.ERROR,), row)
        return Intake(Arrival.DUPLICATE, study_row, announce=again > 0)
    file_study_of_conflict(connection, header, now)
    values = {
        "instance_row": row,
        "study_instance_uid": header.study_instance_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "association_row": association_row,
        "digest": kept.digest,
        "size_bytes": kept.size_bytes,
        "received_at": now,
    }
    _add_conflict.run(connection, **values)
    _name_patient(connection, row, kept.digest, file_patient(connection, header))
    return Intake(Arrival.CONFLICT, study_row, announce=False)


def _name_patient(connection: Connection, instance: int, digest: str, patient: int) -> None:
    """Note whom other bytes name: a PACS that corrects a patient sends its images again."""
    conflict = select(ConflictRow.id).where(
        ConflictRow.instance_row == instance, ConflictRow.digest == digest
    )
    values = {"conflict_row": connection.scalar(conflict), "patient_row": patient}
    adding = insert_of(connection.dialect)(ConflictPatientRow).values(**values)
    connection.execute(adding.on_conflict_do_nothing(index_elements=["conflict_row"]))
