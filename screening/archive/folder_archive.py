"""An archive in a folder: a file is synced, renamed to its name, and the folder synced."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening.archive.archive import MARKER, MARKER_TEXT, Archive, missing, place_of
from screening.archive.incoming_file import IncomingFile, refusal
from screening.archive.incoming_folder import IncomingFolder
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveAwayError, ArchiveError


class FolderArchive(Archive):
    """A folder that keeps instances by the digest of their content.

    Parameters
    ----------
    folder
        Made where missing, readable by its owner alone; a shared one is made by `create` alone.
    minimum_free_bytes
        Free space below which nothing new is kept.
    host
        Our name among the hosts that share the folder; empty where it is ours alone.
    makes
        Whether what it lacks is made.

    Raises
    ------
    ArchiveError
        If the folder cannot be made or written.
    """

    def __init__(
        self, folder: Path, *, minimum_free_bytes: int = 0, host: str = "", makes: bool = True
    ) -> None:
        everybody = folder / "incoming"
        own = IncomingFolder(
            everybody / host if host else everybody,
            minimum_free_bytes,
            everybody if host else None,
        )
        super().__init__(own)
        self._folder = folder
        self._instances = folder / "instances"
        self._shared = bool(host)
        if makes and not self._shared:
            self._make()

    def create(self) -> bool:
        """Make a shared archive where none is, and say whether that was needed.

        Raises
        ------
        ArchiveError
            If the folder is not there, or cannot be written.
        """
        if self._is_there():
            return False
        if not self._folder.is_dir():
            raise ArchiveError(
                f"there is no folder {self._folder}: mount the share, or make the folder, first"
            )
        self._make()
        marker = self._folder / MARKER
        try:
            marker.write_bytes(MARKER_TEXT)
            _sync(marker)
            _sync(self._folder)
        except OSError as error:
            raise refusal(error, marker) from error
        return True

    def _make(self) -> None:
        try:
            for part in (self.incoming, self._instances):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in range(256):
                (self._instances / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
            # That a folder is there already says nothing: who made it may have been killed before
            # its name was synced.
            for synced in (self._instances, self._folder, self._folder.parent):
                _sync(synced)
        except OSError as error:
            raise refusal(error, self._folder) from error

    def require_there(self) -> None:
        """Refuse to work with a folder that is away; a shared one gets our folder in `incoming`."""
        if not self._is_there():
            raise self._away()
        try:
            self.incoming.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            # Who reads alone may have the share mounted so; who receives is told at each image.
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise refusal(error, self.incoming) from error

    def path(self, digest: str) -> Path:
        """Return where the instance with this digest lies, or would lie."""
        return self._folder / place_of(digest)

    def keep(self, file: IncomingFile) -> KeptFile:
        """Sync, rename and sync the folder."""
        digest = file.digest
        target = self.path(digest)
        self._require_marker()
        try:
            size = file.move(target)
            _sync(target.parent)
        except OSError as error:
            raise refusal(error, target) from error
        return KeptFile(digest, size)

    def put(self, digest: str, path: Path) -> None:
        """Copy, sync, rename and sync the folder."""
        target = self.path(digest)
        part = target.with_suffix(".part")
        try:
            shutil.copyfile(path, part)
            _sync(part)
            part.replace(target)
            _sync(target.parent)
        except OSError as error:
            raise refusal(error, target) from error

    def open_path(self, digest: str) -> Path:
        """Return where it lies."""
        if self.size(digest) is None:
            raise missing(digest)
        return self.path(digest)

    @contextmanager
    def taken_out(self, digest: str) -> Iterator[Path]:
        """Lend the file itself."""
        yield self.open_path(digest)

    def size(self, digest: str) -> int | None:
        """Look at the file."""
        path = self.path(digest)
        self._require_marker()
        try:
            if path.is_file():
                return path.stat().st_size
        except FileNotFoundError:
            pass  # it has just been removed
        except OSError as error:
            if self._is_there():
                raise refusal(error, path) from error
        # Whether it is this instance alone that is not there.
        if not self._is_there():
            raise self._away()
        return None

    def remove(self, digest: str) -> None:
        """Unlink, and sync the folder."""
        path = self.path(digest)
        if not self._is_there():
            raise self._away()
        try:
            path.unlink(missing_ok=True)
            _sync(path.parent)
        except OSError as error:
            raise refusal(error, path) from error

    def kept_files(self, older_than_seconds: float) -> Iterator[list[KeptFile]]:
        """Yield them folder by folder."""
        if not self._is_there():
            raise self._away()
        limit = time.time() - older_than_seconds
        try:
            for folder in sorted(self._instances.iterdir()):
                found = [_looked_at(path, limit) for path in folder.glob("[0-9a-f]*.dcm")]
                yield [file for file in found if file is not None]
        except OSError as error:
            raise refusal(error, self._instances) from error

    def _require_marker(self) -> None:
        """Below a share that is not mounted any more may lie an older archive."""
        if self._shared and not self._is_there():
            raise self._away()

    def _is_there(self) -> bool:
        try:
            return (self._folder / MARKER if self._shared else self._instances).exists()
        except OSError:
            return False  # as of a share whose server does not answer

    def _away(self) -> ArchiveAwayError:
        if self._shared:
            return ArchiveAwayError(
                f"the archive is not there: is the share of {self._folder} mounted? Images wait. "
                "A new archive is made by nightread archive create"
            )
        return ArchiveAwayError(
            "the archive is not there: is the disk of NIGHTREAD_DATA_DIR mounted? Images wait"
        )


def opened_source(folder: Path) -> FolderArchive:
    """Return an archive to copy from, in which nothing is made: it may be mounted read-only."""
    return FolderArchive(folder, makes=False)


def _looked_at(path: Path, limit: float) -> KeptFile | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None  # it has just been removed
    # The rename changed the time of the change, and nothing else does.
    return KeptFile(path.stem, status.st_size) if status.st_ctime <= limit else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
