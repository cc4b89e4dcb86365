"""A folder of files becomes a batch: every file is looked at, and none stops the others."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.fileset import FileSet
from pydicom.uid import MediaStorageDirectoryStorage

from pacs.peer import Peer
from pacs.send import Sent, send
from pacs.survey import LeftOut, Part10File, survey
from screening.archive.archive import Archive
from screening.domain.night_batch import BatchState
from screening.errors import BatchError
from screening.records.batch_files import (
    BatchFile,
    known_files,
    note_files,
    plan_from_files,
)
from screening.records.engine import Records
from screening.records.holdings import held_instances
from screening.records.night_batches import Batch, end_batch, find_batch
from screening.records.night_tally import put_back_images

_AT_ONCE = 200
_OUT_OF_RESOURCES = 0xA700  # and 0xA7xx, PS3.4 Table B.2-1


class FolderImport:
    """Brings files in by our own door, which keeps them as it keeps all that comes.

    Parameters
    ----------
    records, archive
        What is here, and whether there is room for more.
    door
        Our own listener.
    now
        The clock.
    """

    def __init__(
        self,
        records: Records,
        archive: Archive,
        door: Peer,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._records = records
        self._archive = archive
        self._door = door
        self._now = now

    def run(self, batch: Batch, path: Path) -> Iterator[int]:
        """Bring in what was not looked at yet, and yield how many files that were each time.

        Killed, it goes on there when it is run again. At the end the batch's studies are known.

        Parameters
        ----------
        path
            A folder, of which every file below it is looked at; or a DICOMDIR, of which those that
            it names are.

        Raises
        ------
        AssociationError
            If our door is shut.
        OutOfSpaceError
            If there is no room for more.
        BatchError
            If the DICOMDIR cannot be read, or somebody has paused or cancelled the batch.
        """
        found = survey(files_of(path)) if path.is_file() else survey([path])
        while files := list(islice(found, _AT_ONCE)):
            self._require_running(batch)
            self._archive.require_space()
            self._take(batch, files)
            yield len(files)
        with self._records.begin() as session:
            plan_from_files(session, batch, self._now())

    def _require_running(self, batch: Batch) -> None:
        with self._records.read() as session:
            found = find_batch(session, batch.row)
        if found is None or found.state is not BatchState.RUNNING:
            state = found.state.value if found else "gone"
            raise BatchError(f"batch {batch.row} is {state}")

    def end(self, batch: Batch) -> None:
        """Record that all of it is screened."""
        with self._records.begin() as session:
            end_batch(session, batch.row, self._now())

    def _take(self, batch: Batch, files: Iterable[Part10File | LeftOut]) -> None:
        by_path = {file_name(each.path): each for each in files}
        with self._records.read() as session:
            known = known_files(session, batch.row, by_path)
        new = [each for path, each in by_path.items() if path not in known]
        noted = [_left_out(each) for each in new if isinstance(each, LeftOut)]
        to_send = [each for each in new if isinstance(each, Part10File)]
        with self._records.read() as session:
            held = held_instances(session, [each.sop_instance_uid for each in to_send])
        try:
            broken = []
            for sent in self._send(to_send):
                if sent.status is None and sent.is_taken:
                    broken.append(sent.path)
                else:
                    noted.append(_noted(sent))
            # Over which the association broke: each once more, alone.
            for file in (each for each in to_send if each.path in broken):
                noted += [_noted(sent) for sent in self._send([file])]
        finally:
            with self._records.begin() as session:
                note_files(session, batch.row, noted)
                came = [each.sop_instance_uid for each in noted if each.sop_instance_uid]
                put_back_images(session, [uid for uid in came if uid not in held])

    def _send(self, files: Sequence[Part10File]) -> Iterator[Sent]:
        """Send files, and stop at the first for which the door has no room."""
        for sent in send(files, self._door) if files else ():
            if sent.status is not None and sent.status & 0xFF00 == _OUT_OF_RESOURCES:
                raise BatchError(
                    "our door has no room, or its database is away: nightread doctor; then run "
                    "this once more"
                )
            yield sent


def file_name(path: Path) -> str:
    """Return a path as text; bytes that are none of UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _left_out(file: LeftOut) -> BatchFile:
    is_unread = file.why.startswith("cannot be read")
    return BatchFile(file_name(file.path), None, file.why, lost=file.is_damaged or is_unread)


def _noted(sent: Sent) -> BatchFile:
    if sent.accepted:
        return BatchFile(file_name(sent.path), sent.sop_instance_uid, None)
    # Without the comment, which may hold a patient.
    why = sent.explanation.split(" (")[0]
    return BatchFile(file_name(sent.path), None, why, lost=True)


def files_of(path: Path) -> list[Path]:
    """Return the files that a DICOMDIR names, PS3.10 8.6.

    Raises
    ------
    BatchError
        If it is none, or cannot be read.
    """
    try:
        kind = read_file_meta_info(path).get("MediaStorageSOPClassUID")
        if kind != MediaStorageDirectoryStorage:
            return [path]
        return [Path(instance.path) for instance in FileSet(path)]
    except InvalidDicomError:
        return [path]
    except Exception as error:
        # pydicom raises nearly anything on a damaged one.
        raise BatchError(f"the DICOMDIR cannot be read ({type(error).__name__})") from error
