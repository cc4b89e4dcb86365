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
            try:
                yield _copy_new(path, target.path(path.stem))
            except FileNotFoundError:
                if path.exists():
                    raise
                yield False  # a rule removed it a moment ago


def _copy_new(path: Path, target: Path) -> bool:
    is_new = not target.is_file() or target.stat().st_size != path.stat().st_size
    if is_new:
        _copy(path, target)
    return is_new


def _copy(path: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    shutil.copyfile(path, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
