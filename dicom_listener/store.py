"""An instance is kept: bytes first, then its row, and only then 0x0000."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from dicom_listener.command import Command
from dicom_listener.negotiation import Context
from dicom_listener.status import Status
from screening.archive.archive import Archive
from screening.archive.incoming_file import IncomingFile
from screening.dicom.header import read_header
from screening.dicom.part10 import part10_head
from screening.domain.instance import InstanceHeader
from screening.domain.lane import LaneRule
from screening.errors import ArchiveError, HeaderError, RecordsError
from screening.records.engine import Records
from screening.records.intake import Arrival, Intake
from screening.records.register import Register
from screening.watching.figures import RECEIVED_BYTES

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A C-STORE that was not kept: its status, why, and whether the database was at fault."""

    status: Status
    why: str
    by_database: bool = False


class Unwanted:
    """A data set that is refused before its first byte: what still comes of it is dropped."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused

    def write(self, piece: memoryview) -> None:
        """Drop it."""

    def discard(self) -> None:
        """Nothing was kept."""


class InstanceStore:
    """Keeps what a C-STORE brings.

    Parameters
    ----------
    archive, records
        Where the bytes and the rows go.
    quiet
        How long after its last image a study is announced while its association stays open.
    lanes
        What belongs to the backlog.
    on_orphan
        Called when bytes were kept and their row could not be written.
    """

    def __init__(
        self,
        archive: Archive,
        records: Records,
        *,
        quiet: dt.timedelta,
        lanes: LaneRule,
        on_orphan: Callable[[], None],
    ) -> None:
        self._archive = archive
        self._register = Register(records, archive.holds)
        self._quiet = quiet
        self._lanes = lanes
        self._on_orphan = on_orphan

    def receive(self, context: Context, command: Command, sender: str) -> IncomingFile | Unwanted:
        """Return what takes the data set of a C-STORE.

        Parameters
        ----------
        context, command
            Of the request.
        sender
            Its AE title.
        """
        if command.sop_class_uid != context.sop_class_uid:
            return Unwanted(
                Refused(
                    Status.SOP_CLASS_NOT_SUPPORTED,
                    "the command is of another SOP Class than its presentation context",
                )
            )
        try:
            self._archive.require_space()
        except ArchiveError as error:
            return Unwanted(Refused(Status.OUT_OF_RESOURCES, str(error)))
        head = part10_head(
            command.sop_class_uid,
            command.sop_instance_uid,
            context.transfer_syntax_uid,
            sender,
        )
        return self._archive.receive(head, context.transfer_syntax_uid)

    def keep(
        self, file: IncomingFile, command: Command, association_row: int, sender: str
    ) -> Intake | Refused:
        """Keep the instance of a C-STORE request, or say why it cannot be kept.

        When an `Intake` is returned, the file, its name and its row survive a loss of power. A
        refusal by the database leaves the file behind, without a row: it is replaced when the
        sender repeats the image, or adopted when the database is back.
        """
        try:
            return self._keep(file, command, association_row, sender)
        except HeaderError as error:
            return Refused(Status.CANNOT_UNDERSTAND, str(error))
        except ArchiveError as error:
            return Refused(Status.OUT_OF_RESOURCES, str(error))
        except RecordsError as error:
            self._on_orphan()
            return Refused(Status.OUT_OF_RESOURCES, str(error), by_database=True)
        finally:
            file.discard()

    def _keep(
        self, file: IncomingFile, command: Command, association_row: int, sender: str
    ) -> Intake | Refused:
        file.require_whole()
        header = read_header(
            file.path,
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
        )
        mismatch = _mismatch(command, header)
        if mismatch:
            return Refused(Status.DATA_SET_MISMATCH, mismatch)
        kept = self._archive.keep(file)
        RECEIVED_BYTES.inc(kept.size_bytes)
        now = dt.datetime.now(dt.UTC)
        intake = self._register.take_in(
            header,
            kept,
            association_row=association_row,
            now=now,
            announce_at=now + self._quiet,
            lane=self._lanes.lane(sender, header.study_date, now.date()),
            calling_ae_title=sender,
        )
        if intake.arrival is Arrival.CONFLICT:
            log.warning(
                "conflicting_duplicate",
                study_instance_uid=header.study_instance_uid,
                sop_instance_uid=header.sop_instance_uid,
            )
        return intake


def _mismatch(command: Command, header: InstanceHeader) -> str:
    """Compare the data set with the command, PS3.4 B.2.3 (A9xx)."""
    for name, said, found in (
        ("SOPClassUID", command.sop_class_uid, header.sop_class_uid),
        ("SOPInstanceUID", command.sop_instance_uid, header.sop_instance_uid),
    ):
        if said != found:
            return f"{name} of the data set is not Affected{name} of the command"
    return ""
