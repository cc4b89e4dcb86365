"""Bytes on disk: written under a temporary name, synced, renamed, and the folder synced.

::

    archive/incoming/            what is still arriving; nothing here was acknowledged
    archive/instances/ab/abcd….dcm
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from screening.archive.incoming_file import IncomingFile, is_arriving, refusal
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveAwayError, ArchiveError, OutOfSpaceError


class Archive:
    """A folder that keeps instances by the digest of their content.

    Parameters
    ----------
    folder
        Made where missing, readable by its owner alone.
    minimum_free_bytes
        Free space below which nothing new is kept.

    Raises
    ------
    ArchiveError
        If the folder cannot be made or written.
    """

    def __init__(self, folder: Path, *, minimum_free_bytes: int = 0) -> None:
        self.incoming = folder / "incoming"
        self._instances = folder / "instances"
        self._minimum_free_bytes = minimum_free_bytes
        try:
            for part in (self.incoming, self._instances):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in range(256):
                (self._instances / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
            # That a folder is there already says nothing: who made it may have been killed before
            # its name was synced.
            for synced in (self._instances, folder, folder.parent):
                _sync_folder(synced)
        except OSError as error:
            raise refusal(error, folder) from error

    def path(self, digest: str) -> Path:
        """Return where the instance with this digest lies, or would lie."""
        return self._instances / digest[:2] / f"{digest}.dcm"

    def receive(self, meta: bytes, transfer_syntax_uid: str) -> IncomingFile:
        """Open a file in `incoming` for a data set that begins to arrive.

        Parameters
        ----------
        meta
            What stands before the data set in the file.
        transfer_syntax_uid
            In which the data set is encoded.
        """
        return IncomingFile(self.incoming, meta, transfer_syntax_uid)

    def require_space(self) -> None:
        """Refuse further images while the disk has less free space than the settings ask for.

        Raises
        ------
        OutOfSpaceError
            If it has.
        ArchiveError
            If the disk does not say.
        """
        try:
            free = shutil.disk_usage(self.incoming).free
        except OSError as error:
            raise refusal(error, self.incoming) from error
        if free < self._minimum_free_bytes:
            raise OutOfSpaceError(
                f"{free / 1e9:.1f} GB free, {self._minimum_free_bytes / 1e9:.1f} GB are kept free: "
                "make room in NIGHTREAD_DATA_DIR or lower NIGHTREAD_MINIMUM_FREE_GIGABYTES"
            )

    def keep(self, file: IncomingFile) -> KeptFile:
        """Move a file that has arrived in `incoming` to its place, durably.

        When this returns, the bytes and their name survive a loss of power. Where the same content
        is kept already, these bytes take its place: what lies there may have been damaged since.

        Parameters
        ----------
        file
            With a complete data set; it is closed.

        Raises
        ------
        OutOfSpaceError
            If the disk or a quota is full.
        ArchiveError
            If the bytes cannot be kept for another reason.
        """
        digest = file.digest
        target = self.path(digest)
        try:
            size = file.move(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise refusal(error, target) from error
        return KeptFile(digest, size)

    def open_path(self, digest: str) -> Path:
        """Return the path of an instance that is there.

        Raises
        ------
        ArchiveAwayError
            If the archive as a whole is not.
        ArchiveError
            If this instance is not.
        """
        path = self.path(digest)
        if not self._instances.is_dir():
            raise _away()
        if not path.is_file():
            raise ArchiveError(
                f"the archive has no instance {digest[:16]}...: was NIGHTREAD_DATA_DIR moved, or "
                "its archive folder emptied? Restore it, or send the image again"
            )
        return path

    def holds(self, digest: str) -> bool:
        """Say whether the bytes of an instance are there.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not, or cannot be read.
        """
        try:
            self.path(digest).stat()
        except FileNotFoundError:
            if self._instances.is_dir():
                return False
            raise _away() from None
        except OSError as error:
            raise refusal(error, self.path(digest)) from error
        return True

    def remove(self, digest: str) -> None:
        """Remove the bytes of an instance, durably; what is not there is as good as removed.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not there, or its disk refuses.
        """
        if not self._instances.is_dir():
            raise _away()
        path = self.path(digest)
        try:
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except OSError as error:
            raise refusal(error, path) from error

    def clear_incoming(self, older_than_seconds: float) -> int:
        """Remove what dead processes left half written, and return how many files it was.

        Parameters
        ----------
        older_than_seconds
            Files written to more recently are left: their process may be about to lock them.
        """
        limit = time.time() - older_than_seconds
        removed = 0
        for path in self.incoming.iterdir():
            try:
                if path.stat().st_mtime <= limit and not is_arriving(path):
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its association has just finished it
        return removed

    def kept_files(self, older_than_seconds: float) -> Iterator[list[Path]]:
        """Yield the files of the archive, folder by folder.

        Parameters
        ----------
        older_than_seconds
            Files that came more recently are left out: their rows may be about to be written.
        """
        limit = time.time() - older_than_seconds
        for folder in sorted(self._instances.iterdir()):
            # The rename changed the time of the change, and nothing else does.
            yield [path for path in folder.glob("[0-9a-f]*.dcm") if _changed_at(path) <= limit]


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except FileNotFoundError:
        return float("inf")  # a rule has just removed it


def _away() -> ArchiveAwayError:
    return ArchiveAwayError(
        "the archive is not there: is the disk of NIGHTREAD_DATA_DIR mounted? Images wait"
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
