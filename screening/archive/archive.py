"""What every archive promises, wherever it lies: a folder, or a bucket of S3.

::

    incoming/                    what is still arriving, on this host; nothing here was acknowledged
    instances/ab/abcd….dcm       what is kept, under the digest of its content
    nightread-archive            that this is the archive, where it has an address of its own
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from screening.archive.incoming_file import IncomingFile
from screening.archive.incoming_folder import IncomingFolder
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveError

MARKER = "nightread-archive"
"""Name of what says that an archive was made here.

A share that is not mounted leaves an empty folder, and a misspelt prefix an empty place in a
bucket: without the marker both would be taken for a new archive, and images would go astray.
"""

MARKER_TEXT = b"An archive of Nightread. Without this file nothing is kept or read here.\n"


def place_of(digest: str) -> str:
    """Return where an instance lies below the archive: the same in a folder and in a bucket."""
    return f"instances/{digest[:2]}/{digest}.dcm"


class Archive(ABC):
    """Keeps instances by the digest of their content.

    What cannot be had at present is an `ArchiveAwayError`: whoever meets one waits and tries again.

    Parameters
    ----------
    incoming
        Where images arrive, on a disk of this host or, for a shared folder, on the share.

    Attributes
    ----------
    is_store
        Whether each look and each change is a request, which may take as long as the store allows.
    """

    is_store = False

    def __init__(self, incoming: IncomingFolder) -> None:
        self._incoming = incoming

    @property
    def incoming(self) -> Path:
        """Folder of what this host is receiving."""
        return self._incoming.path

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
        self._incoming.require_space()

    def clear_incoming(self, older_than_seconds: float) -> int:
        """Remove what dead processes left half written, and return how many files it was.

        Parameters
        ----------
        older_than_seconds
            Files written to more recently are left: their process may be about to lock them.
        """
        return self._incoming.clear(older_than_seconds)

    def holds(self, digest: str) -> bool:
        """Say whether the bytes of an instance are there.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not, or cannot be read.
        """
        return self.size(digest) is not None

    @abstractmethod
    def require_there(self) -> None:
        """Refuse to work with an archive that is away, or that nobody has made.

        Raises
        ------
        ArchiveError
            If it cannot be used.
        """

    @abstractmethod
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

    @abstractmethod
    def put(self, digest: str, path: Path) -> None:
        """Keep a copy of a file under its digest, as durably as `keep` does.

        Raises
        ------
        OutOfSpaceError
            If the disk or a quota is full.
        ArchiveError
            If it cannot be kept for another reason.
        """

    @abstractmethod
    def open_path(self, digest: str) -> Path:
        """Return the path of an instance that is there, for who reads it now.

        Raises
        ------
        ArchiveAwayError
            If the archive as a whole is not.
        OutOfSpaceError
            If it must be brought to this host, whose disk is full.
        ArchiveError
            If this instance is not there, or is damaged.
        """

    @abstractmethod
    def taken_out(self, digest: str) -> AbstractContextManager[Path]:
        """Lend a file with what the archive itself holds now, whatever this host remembers.

        Raises
        ------
        ArchiveError
            As `open_path`.
        """

    @abstractmethod
    def size(self, digest: str) -> int | None:
        """Return the size of an instance's file in bytes; ``None`` if it is not there.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not, or cannot be read.
        """

    @abstractmethod
    def remove(self, digest: str) -> None:
        """Remove the bytes of an instance, durably; what is not there is as good as removed.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not there, or refuses.
        """

    @abstractmethod
    def kept_files(self, older_than_seconds: float) -> Iterator[list[KeptFile]]:
        """Yield what the archive holds, some at a time.

        Parameters
        ----------
        older_than_seconds
            Files that came more recently are left out: their rows may be about to be written.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not there, or cannot be read.
        """


def missing(digest: str) -> ArchiveError:
    """Return what is said of an instance that the archive lacks, while it is there itself."""
    return ArchiveError(
        f"the archive has no instance {digest[:16]}...: was it moved or emptied? Restore it, or "
        "send the image again"
    )
