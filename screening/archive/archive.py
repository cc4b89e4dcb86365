"""Bytes on disk: written under a temporary name, synced, renamed, and the folder synced.

::

    archive/incoming/            what is still arriving; nothing here was acknowledged
    archive/instances/ab/cd/abcd….dcm
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from pathlib import Path

from screening.errors import ArchiveAwayError, ArchiveError, OutOfSpaceError

_CHUNK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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
        self._durable: set[Path] = set()
        try:
            for part in (self.incoming, self._instances):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
                for parent in (part.parent, part.parent.parent):
                    _sync_folder(parent)
        except OSError as error:
            raise _refusal(error, folder) from error

    def path(self, digest: str) -> Path:
        """Return where the instance with this digest lies, or would lie."""
        return self._instances / digest[:2] / digest[2:4] / f"{digest}.dcm"

    def require_space(self) -> None:
        """Refuse further images while the disk has less free space than the settings ask for.

        Raises
        ------
        OutOfSpaceError
            If it has.
        """
        free = shutil.disk_usage(self.incoming).free
        if free < self._minimum_free_bytes:
            raise OutOfSpaceError(
                f"{free / 1e9:.1f} GB free, {self._minimum_free_bytes / 1e9:.1f} GB are kept free: "
                "make room in NIGHTREAD_DATA_DIR or lower NIGHTREAD_MINIMUM_FREE_GIGABYTES"
            )

    def keep(self, arrived: Path, digest: str) -> int:
        """Move a file that has arrived in `incoming` to its place, durably.

        When this returns, the bytes and their name survive a loss of power. The same content may
        be kept again: the rename replaces a file by its equal.

        Parameters
        ----------
        arrived
            A complete file on the archive's own file system.
        digest
            Of its content, see `content_digest`.

        Returns
        -------
        int
            Its size in bytes.

        Raises
        ------
        OutOfSpaceError
            If the disk or a quota is full.
        ArchiveError
            If the bytes cannot be kept for another reason.
        """
        target = self.path(digest)
        try:
            with arrived.open("rb+") as file:
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
            self._make_durable(target.parent)
            arrived.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise _refusal(error, target) from error
        return size

    def _make_durable(self, folder: Path) -> None:
        """Make a folder below `_instances`, its name and its parents' synced, once a process.

        That it is there already says nothing: who made it may have been killed before the sync.
        """
        if folder == self._instances or folder in self._durable:
            return
        self._make_durable(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)
        self._durable.add(folder)

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
            raise ArchiveAwayError(
                "the archive is not there: is the disk of NIGHTREAD_DATA_DIR mounted? Images wait"
            )
        if not path.is_file():
            raise ArchiveError(
                f"the archive has no instance {digest[:16]}...: was NIGHTREAD_DATA_DIR moved, or "
                "its archive folder emptied? Restore it, or send the image again"
            )
        return path

    def clear_incoming(self, older_than_seconds: float) -> int:
        """Remove what broken associations left half written, and return how many files it was.

        Parameters
        ----------
        older_than_seconds
            Files written to more recently may still be arriving and are left.
        """
        limit = time.time() - older_than_seconds
        removed = 0
        for path in self.incoming.iterdir():
            try:
                if path.stat().st_mtime <= limit:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its association has just finished it
        return removed


def content_digest(path: Path, *, offset: int, transfer_syntax_uid: str) -> str:
    """Return what makes an instance's content the same content.

    The data set alone counts: the group of file meta information before it says how and by whom it
    was transferred, which may differ between two sendings of one image.

    Parameters
    ----------
    path
        A Part 10 file, PS3.10 7.1.
    offset
        Where its data set begins, in bytes.
    transfer_syntax_uid
        In which its data set is encoded: the same bytes mean something else in another.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256(transfer_syntax_uid.encode("ascii", "replace") + b"\0")
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        buffer = memoryview(bytearray(_CHUNK))
        while read := file.readinto(buffer):
            digest.update(buffer[:read])
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(error: OSError, path: Path) -> ArchiveError:
    if error.errno in _FULL:
        return OutOfSpaceError(f"the disk of {path.parent} is full: make room")
    return ArchiveError(
        f"cannot write to {path.parent}: {error.strerror}; check its owner and permissions"
    )
