"""The folder of what is still arriving: files of this host, and what dead processes left there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from screening.archive.incoming_file import is_arriving, refusal
from screening.errors import OutOfSpaceError

# No association lasts a day. The locks of another host are not seen on every share.
_OTHERS_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class IncomingFolder:
    """Where images arrive.

    Attributes
    ----------
    path
        Of this host's own.
    minimum_free_bytes
        Free space below which nothing new is kept.
    others
        Folder of the other hosts' folders, where several share a disk; else ``None``.
    """

    path: Path
    minimum_free_bytes: int = 0
    others: Path | None = None

    def require_space(self) -> None:
        """Refuse further images while the disk has less free space than it should.

        Raises
        ------
        OutOfSpaceError
            If it has.
        ArchiveError
            If the disk does not say.
        """
        try:
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise refusal(error, self.path) from error
        if free < self.minimum_free_bytes:
            raise OutOfSpaceError(
                f"{free / 1e9:.1f} GB free, {self.minimum_free_bytes / 1e9:.1f} GB are kept free: "
                f"make room on the disk of {self.path} or lower NIGHTREAD_MINIMUM_FREE_GIGABYTES"
            )

    def clear(self, older_than_seconds: float) -> int:
        """Remove what dead processes left half written, and return how many files it was."""
        now = time.time()
        removed = sum(_remove_left(path, now - older_than_seconds) for path in self.path.iterdir())
        return removed + sum(
            _remove_left(path, now - _OTHERS_SECONDS) for path in self._of_others()
        )

    def _of_others(self) -> Iterator[Path]:
        """Yield what other hosts are receiving, or left when they were taken away."""
        if self.others is not None:
            for folder in self.others.iterdir():
                if folder != self.path and folder.is_dir():
                    yield from folder.iterdir()


def _remove_left(path: Path, limit: float) -> bool:
    try:
        if path.stat().st_mtime > limit or is_arriving(path):
            return False
        path.unlink()
    except FileNotFoundError:
        return False  # its association has just finished it
    return True
