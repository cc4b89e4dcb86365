"""Copies on this host of what lies in a store: bounded, and compared before they are lent."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screening.archive.incoming_file import refusal
from screening.dicom.intact import digest_of
from screening.errors import ArchiveError, HeaderError, OutOfSpaceError

# Who was lent a path may wait for a reader: a copy is not taken away from under it so soon.
_LENT_SECONDS = 600.0

# What nobody asked for in a day goes, whatever room there is: an image that is removed from the
# store must not live on here.
_OLDEST_SECONDS = 86400.0

# How much of the room is brought between two looks at the whole folder, and left at each.
_BETWEEN_LOOKS = 0.05
_LEFT = 0.8


class Cache:
    """A folder of copies, shared by the processes of this host.

    Parameters
    ----------
    folder
        Made where missing.
    maximum_bytes
        That the copies may take, beside those that were lent in the last ten minutes.
    """

    def __init__(self, folder: Path, maximum_bytes: int) -> None:
        self._folder = folder
        self._maximum_bytes = maximum_bytes
        self._brought_bytes = maximum_bytes  # the first that is brought makes room

    def lend(self, digest: str, fetch: Callable[[Path], None]) -> Path:
        """Return the path of a copy; one that is not here, or is damaged here, is fetched.

        Parameters
        ----------
        fetch
            Writes the instance to a path.

        Raises
        ------
        ArchiveError
            If the instance cannot be had, or is damaged where it comes from.
        """
        path = self._folder / f"{digest}.dcm"
        # The time of the last use; what is lent from now on stays for a while.
        with suppress(OSError, HeaderError):
            os.utime(path)
            if digest_of(path) == digest:
                return path
        with self.borrow(digest, fetch) as part:
            try:
                self._brought_bytes += part.stat().st_size
                part.replace(path)
            except OSError as error:
                raise refusal(error, path) from error
        return path

    @contextmanager
    def borrow(self, digest: str, fetch: Callable[[Path], None]) -> Iterator[Path]:
        """Lend a copy that is fetched for this once.

        Raises
        ------
        ArchiveError
            If the instance cannot be had, or is damaged where it comes from.
        """
        path = self._folder / f"{uuid.uuid4().hex}.part"
        try:
            self._bring(digest, fetch, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _bring(self, digest: str, fetch: Callable[[Path], None], path: Path) -> None:
        """Fetch an instance to a path, and refuse one whose bytes are not those of its digest."""
        try:
            self._make_room()
            fetch(path)
            found = digest_of(path)
        except OutOfSpaceError:
            self._make_room(full=True)  # for who asks next
            raise
        except OSError as error:
            raise refusal(error, path) from error
        except HeaderError:
            found = ""
        if found != digest:
            raise ArchiveError(
                f"the archive's instance {digest[:16]}... is damaged: its bytes are not those that "
                "came. Restore it, or send the image again"
            )

    def forget(self, digest: str) -> None:
        """Remove a copy, if there is one."""
        (self._folder / f"{digest}.dcm").unlink(missing_ok=True)

    def _make_room(self, *, full: bool = False) -> None:
        """Now and then, and where the disk is full, remove what was not used for the longest."""
        if self._brought_bytes < self._maximum_bytes * _BETWEEN_LOOKS and not full:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._brought_bytes = 0
        copies = sorted(_copies(self._folder))
        total = sum(size for _, size, _ in copies)
        aim = total if total <= self._maximum_bytes else self._maximum_bytes * _LEFT
        now = time.time()
        for used_at, size, path in copies:
            if used_at > now - _LENT_SECONDS:
                return
            if full or total > aim or used_at < now - _OLDEST_SECONDS:
                path.unlink(missing_ok=True)
                total -= size


def _copies(folder: Path) -> list[tuple[float, int, Path]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                status = entry.stat()
                found.append((status.st_mtime, status.st_size, Path(entry.path)))
    return found
