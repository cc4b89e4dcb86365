"""An instance is kept: bytes first, then its row, and only then 0x0000."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from dicom_listener.status import Status, response
from screening.archive.archive import Archive, content_digest
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.domain.instance import InstanceHeader
from screening.errors import ArchiveError, HeaderError, RecordsError
from screening.records.engine import Records
from screening.records.intake import Arrival, Intake, KeptFile, take_in

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A C-STORE that was not kept: its status, why, and whether the database was at fault."""

    status: Status
    why: str
    by_database: bool = False


class InstanceStore:
    """Keeps what a C-STORE brings.

    Parameters
    ----------
    archive, records
        Where the bytes and the rows go.
    quiet
        How long after its last image a study is announced while its association stays open.
    """

    def __init__(self, archive: Archive, records: Records, *, quiet: dt.timedelta) -> None:
        self._archive = archive
        self._records = records
        self._quiet = quiet

    def keep(self, event: Event, association_row: int) -> Intake | Refused:
        """Keep the instance of a C-STORE request, or say why it cannot be kept.

        When an `Intake` is returned, the file, its name and its row survive a loss of power. A
        refusal leaves nothing behind that counts: a file without a row is replaced by its equal
        when the sender repeats it.
        """
        try:
            return self._keep(event, association_row)
        except HeaderError as error:
            return Refused(Status.CANNOT_UNDERSTAND, str(error))
        except ArchiveError as error:
            return Refused(Status.OUT_OF_RESOURCES, str(error))
        except RecordsError as error:
            return Refused(Status.OUT_OF_RESOURCES, str(error), by_database=True)

    def _keep(self, event: Event, association_row: int) -> Intake | Refused:
        self._archive.require_space()
        request = event.request
        assert isinstance(request, C_STORE), "bound to EVT_C_STORE alone"
        if request._dataset_path is None:
            return Refused(
                Status.CANNOT_UNDERSTAND, "no data set came with the command: send it again"
            )
        arrived: Path = event.dataset_path
        header = read_header(
            arrived,
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
        )
        mismatch = _mismatch(request, header)
        if mismatch:
            return Refused(Status.DATA_SET_MISMATCH, mismatch)
        digest = content_digest(
            arrived,
            offset=data_set_offset(arrived),
            transfer_syntax_uid=header.transfer_syntax_uid,
        )
        size = self._archive.keep(arrived, digest)
        now = dt.datetime.now(dt.UTC)
        with self._records.begin() as session:
            intake = take_in(
                session,
                header,
                KeptFile(digest, size),
                association_row=association_row,
                now=now,
                announce_at=now + self._quiet,
            )
        if intake.arrival is Arrival.CONFLICT:
            log.warning("conflicting_duplicate", sop_instance_uid=header.sop_instance_uid)
        return intake


def answer(outcome: Intake | Refused) -> Dataset:
    """Return the response to a C-STORE."""
    if isinstance(outcome, Refused):
        return response(outcome.status, outcome.why)
    return response(Status.SUCCESS)


def _mismatch(request: C_STORE, header: InstanceHeader) -> str:
    """Compare the data set with the command, PS3.4 B.2.3 (A9xx)."""
    for keyword, found in (
        ("AffectedSOPClassUID", header.sop_class_uid),
        ("AffectedSOPInstanceUID", header.sop_instance_uid),
    ):
        if str(getattr(request, keyword)).rstrip("\0 ") != found:
            element = keyword.removeprefix("Affected")
            return f"{element} of the data set is not {keyword} of the command"
    return ""
