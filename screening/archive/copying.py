"""Files of one archive copied to another: they never change, so none is copied twice."""

from __future__ import annotations

from collections.abc import Iterator

from screening.archive.archive import Archive
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveError


def copy_files(source: Archive, target: Archive) -> Iterator[bool]:
    """Copy every file that the target lacks; yield for each file whether it was copied.

    A file stands under its name once it is whole and durable.

    Raises
    ------
    OutOfSpaceError
        If the target is full.
    ArchiveError
        If one of the two is away, or refuses.
    """
    for files in source.kept_files(0):
        for file in files:
            yield target.size(file.digest) != file.size_bytes and _copy(source, target, file)


def _copy(source: Archive, target: Archive, file: KeptFile) -> bool:
    try:
        with source.taken_out(file.digest) as path:
            target.put(file.digest, path)
    except ArchiveError:
        if source.holds(file.digest):
            raise
        return False  # it was removed a moment ago
    return True
