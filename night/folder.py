"""A folder of files becomes a batch: every file is looked at, and none stops the others."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage

from pacs.peer import Peer
from pacs.send import Sent, send
from pacs.survey import LeftOut, Part10File, survey
from screening.archive.archive import Archive
from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.domain.night_batch import BatchState
from screening.errors import BatchError, HeaderError
from screening.records.batch_files import (
    BatchFile,
    known_files,
    note_files,
    plan_from_files,
    studies_of_files,
)
from screening.records.engine import Records
from screening.records.holdings import HeldInstance, held_instances
from screening.records.night_batches import Batch, end_batch, find_batch
from screening.records.night_tally import put_back_images

_AT_ONCE = 200
_PAGE = 500
_OTHER_BYTES = "other bytes under the UID of an image that is here"
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
        found = named_files(path) if path.is_file() else survey([path])
        while files := list(islice(found, _AT_ONCE)):
            self._require_running(batch)
            self._archive.require_space()
            self._take(batch, files)
            yield len(files)
        self._plan(batch)

    def _plan(self, batch: Batch) -> None:
        """Note which studies the files brought, page by page: who writes keeps the door waiting."""
        with self._records.read() as session:
            found = studies_of_files(session, batch.row)
        for start in range(0, len(found), _PAGE):
            with self._records.begin() as session:
                plan_from_files(session, batch, found[start : start + _PAGE], self._now())

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
            # Also where the door had no room: what is noted is not looked at again.
            noted = self._without_conflicts(noted, to_send)
            with self._records.begin() as session:
                note_files(session, batch.row, noted)
                came = [each.sop_instance_uid for each in noted if each.sop_instance_uid]
                put_back_images(session, [uid for uid in came if uid not in held])

    def _without_conflicts(
        self, noted: Sequence[BatchFile], files: Sequence[Part10File]
    ) -> list[BatchFile]:
        """Return what was noted; of other bytes than those that are here, that they are no image.

        The door answers them with success and keeps them apart, and no worker reads them.
        """
        by_path = {file_name(each.path): each for each in files}
        with self._records.read() as session:
            held = held_instances(session, [each.sop_instance_uid for each in files])
        found = []
        for each in noted:
            file = by_path.get(each.path)
            if each.sop_instance_uid and file and _is_other(file, held):
                found.append(BatchFile(each.path, None, _OTHER_BYTES, lost=True))
            else:
                found.append(each)
        return found

    def _send(self, files: Sequence[Part10File]) -> Iterator[Sent]:
        """Send files, and stop at the first for which the door has no room."""
        for sent in send(files, self._door) if files else ():
            if sent.status is not None and sent.status & 0xFF00 == _OUT_OF_RESOURCES:
                raise BatchError(
                    "our door has no room, or its database is away: nightread doctor; then run "
                    "this once more"
                )
            yield sent


def _is_other(file: Part10File, held: Mapping[str, HeldInstance]) -> bool:
    known = held.get(file.sop_instance_uid)
    if known is None:
        return False
    try:
        digest = content_digest(
            file.path,
            offset=data_set_offset(file.path),
            transfer_syntax_uid=file.transfer_syntax_uid,
        )
    except (OSError, HeaderError):
        return False  # it was readable a moment ago, and its image is here
    return digest != known.digest


def file_name(path: Path) -> str:
    """Return a path as text, no two alike: what is not UTF-8 and backslashes are escaped."""
    return os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _left_out(file: LeftOut) -> BatchFile:
    is_unread = file.why.startswith("cannot be read")
    return BatchFile(file_name(file.path), None, file.why, lost=file.is_damaged or is_unread)


def _noted(sent: Sent) -> BatchFile:
    if sent.accepted:
        return BatchFile(file_name(sent.path), sent.sop_instance_uid, None)
    # Without the comment, which may hold a patient.
    why = sent.explanation.split(" (")[0]
    return BatchFile(file_name(sent.path), None, why, lost=True)


def named_files(path: Path) -> Iterator[Part10File | LeftOut]:
    """Yield the files that a DICOMDIR names, PS3.10 8.6; of any other file, that one.

    Raises
    ------
    BatchError
        If it cannot be read.
    """
    try:
        kind = read_file_meta_info(path).get("MediaStorageSOPClassUID")
        is_index = kind == MediaStorageDirectoryStorage
        records = dcmread(path).DirectoryRecordSequence if is_index else []
    except InvalidDicomError:
        is_index, records = False, []
    except Exception as error:
        # pydicom raises nearly anything on a damaged one.
        raise BatchError(f"the DICOMDIR cannot be read ({type(error).__name__})") from error
    if not is_index:
        yield from survey([path])
        return
    for record in records:
        if "ReferencedFileID" in record:  # else it is a patient, a study or a series
            yield _named(path.parent, record)


def _named(folder: Path, record: Dataset) -> Part10File | LeftOut:
    """Look at a file that a DICOMDIR names; PS3.10 8.5 lets none be outside of its folder."""
    nameless = "named by the DICOMDIR, and no name of a file"
    name = folder
    try:
        value = record.ReferencedFileID
        parts = [value] if isinstance(value, str) else [str(part) for part in value or [""]]
        name = folder.joinpath(*(part.replace("/", "_") for part in parts))
        if any(part in ("", ".", "..") or set(part) & {"/", "\0"} for part in parts):
            return LeftOut(name, nameless, is_damaged=True)
        file = _found(folder, parts)
        if not file.resolve().is_relative_to(folder.resolve()):
            return LeftOut(file, "named by the DICOMDIR, and not below it", is_damaged=True)
        if not file.is_file():
            return LeftOut(file, "named by the DICOMDIR, and not there", is_damaged=True)
    except Exception:
        # Of the disk, or of pydicom, which raises nearly anything on a damaged value.
        return LeftOut(name, nameless, is_damaged=True)
    (found,) = survey([file])
    return found


def _found(folder: Path, parts: Sequence[str]) -> Path:
    """Return a file by its ID; a disc may be mounted with names in the other case."""
    for name in parts:
        there = folder / name
        if not there.exists():
            alike = (
                (each for each in folder.iterdir() if each.name.upper() == name.upper())
                if folder.is_dir()
                else ()
            )
            there = next(iter(alike), there)
        folder = there
    return folder
