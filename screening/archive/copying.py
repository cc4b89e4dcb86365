"""Files of one archive copied to another: they never change, so none is copied twice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from screening.archive.archive import Archive


def copy_files(source: Archive, target: Archive) -> Iterator[bool]:
    """Copy every file that the target lacks; yield for each file whether it was copied.

    A file stands under its name once it is whole and synced.

    Raises
    ------
    ArchiveError
        If one of the two is away.
    OSError
        If the disk is full, or refuses.
    """
    for paths in source.kept_files(0):
        for path in paths:
            there = target.path(path.stem)
            is_new = not there.is_file() or there.stat().st_size != path.stat().st_size
            if is_new:
                _copy(path, target.path(path.stem))
            yield is_new


def _copy(path: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    shutil.copyfile(path, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
