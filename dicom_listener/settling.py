"""What a listener that was killed left between the disk and the records is settled at the start.

A file without a row was synced and renamed, and its sender was not answered. It is adopted: its
sender may never come back, and if it does, the same bytes are a repeat that changes nothing. So are
the images that came after a backup from which the records were restored; and a file that is there
though the records say that a rule removed it, as one that was sent again after that backup.
"""

from __future__ import annotations

import datetime as dt
import threading
import time

import structlog

from screening.archive.archive import Archive
from screening.dicom.header import read_header
from screening.dicom.intact import digest_of
from screening.domain.kept_file import KeptFile
from screening.domain.lane import LaneRule
from screening.errors import (
    ArchiveAwayError,
    ArchiveError,
    HeaderError,
    NightreadError,
    UnrecordableError,
)
from screening.records import association as associations
from screening.records.association import Caller, Outcome
from screening.records.engine import Records
from screening.records.holdings import held_digests
from screening.records.intake import take_in
from screening.records.removals import removed_digests

log = structlog.get_logger(__name__)

# Longer than an image may lie between its rename and its commit: a busy database is waited for.
_PATIENCE_SECONDS = 30.0
_NO_ROW = "found in the archive without a row: the listener had stopped before it was written"
_REMOVED = "found in the archive, from which a rule had removed it: it came again, or from a backup"


class Settling:
    """Looks through the archive for files that the records do not know, and adopts them.

    Parameters
    ----------
    archive, records
        To be made to agree.
    name
        Of the listener that looks.
    patience_seconds
        Files that came more recently are left: another listener may be about to record them.
    at_start
        Whether to look at the start; of several processes one does.
    lanes
        What belongs to the backlog.
    """

    def __init__(
        self,
        archive: Archive,
        records: Records,
        name: str,
        patience_seconds: float = _PATIENCE_SECONDS,
        *,
        at_start: bool = True,
        lanes: LaneRule | None = None,
    ) -> None:
        self._archive = archive
        self._records = records
        self._name = name
        self._lanes = lanes or LaneRule()
        self._patience_seconds = patience_seconds
        self._looking_until = 0.0
        if at_start:
            self.look_again()

    def look_again(self) -> None:
        """Look until what has come by now is old enough: bytes were kept, and their row was not."""
        self._looking_until = time.monotonic() + 2 * self._patience_seconds

    def run(self, stopping: threading.Event) -> None:
        """Look now and again, from a start or a call of `look_again` on, and else wait.

        Where the database or the disk does not answer, it looks again until they do.

        Parameters
        ----------
        stopping
            Set when the listener stops.
        """
        while not stopping.is_set():
            if time.monotonic() < self._looking_until:
                self._look(stopping)
            stopping.wait(self._patience_seconds)

    def _look(self, stopping: threading.Event) -> None:
        try:
            adopted = self.settle(stopping)
        except (NightreadError, OSError) as error:
            log.error("archive_not_settled", error=str(error))
            self.look_again()
        else:
            log.info("archive_settled", adopted=adopted)

    def settle(self, stopping: threading.Event) -> int:
        """Adopt every file without a row or removed by its row, and return how many it was.

        Raises
        ------
        RecordsError
            If the database does not answer.
        ArchiveError
            If the archive cannot be read.
        """
        adopted = 0
        for files in self._archive.kept_files(self._patience_seconds):
            if stopping.is_set():
                break
            digests = [file.digest for file in files]
            with self._records.read() as session:
                known = held_digests(session, digests)
                removed = removed_digests(session, digests)
            adopted += self._adopt([file for file in files if file.digest not in known], _NO_ROW)
            # One that was listed may have been removed since.
            again = [each for each in files if each.digest in removed and self._holds(each)]
            adopted += self._adopt(again, _REMOVED)
        return adopted

    def _holds(self, file: KeptFile) -> bool:
        return self._archive.holds(file.digest)

    def _adopt(self, orphans: list[KeptFile], explanation: str) -> int:
        adopted = 0
        for file in orphans:
            try:
                adopted += self._take_in(file, explanation)
            except ArchiveAwayError:
                raise
            except (ArchiveError, HeaderError, UnrecordableError, OSError) as error:
                log.error("orphan_not_adopted", file=file.digest, error=str(error))
        return adopted

    def _take_in(self, file: KeptFile, explanation: str) -> bool:
        path = self._archive.open_path(file.digest)
        header = read_header(path)
        if digest_of(path) != file.digest:
            log.error("orphan_damaged", file=file.digest)
            return False
        now = dt.datetime.now(dt.UTC)
        with self._records.begin() as session:
            row = associations.open_association(session, Caller("", "", "", self._name), now)
            take_in(
                session.connection(),
                header,
                file,
                association_row=row,
                now=now,
                announce_at=now,
                # Who sent it is not known any more; its study's date is.
                lane=self._lanes.lane("", header.study_date, now.date()),
            )
            associations.close_association(
                session, row, outcome=Outcome.LOST, now=now, explanation=explanation
            )
        log.info(
            "orphan_adopted",
            study_instance_uid=header.study_instance_uid,
            sop_instance_uid=header.sop_instance_uid,
        )
        return True
