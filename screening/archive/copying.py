"""Files of one archive copied to another: they never change, so none is copied twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from screening.archive.archive import Archive
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveError


def copy_files(
    source: Archive,
    target: Archive,
    removed: Callable[[list[str]], Collection[str]] = lambda digests: (),
) -> Iterator[bool]:
    """Copy every file that the target lacks; yield for each file whether it was copied.

    A file stands under its name once it is whole and durable.

    Parameters
    ----------
    removed
        Says which of some digests are not to come back, since a rule removed them.

    Raises
    ------
    OutOfSpaceError
        If the target is full.
    ArchiveError
        If one of the two is away, or refuses.
    """
    for files in source.kept_files(0):
        gone = removed([file.digest for file in files])
        for file in files:
            is_wanted = file.digest not in gone and target.size(file.digest) != file.size_bytes
            yield is_wanted and _copy(source, target, file)


def _copy(source: Archive, target: Archive, file: KeptFile) -> bool:
    try:
        with source.taken_out(file.digest) as path:
            target.put(file.digest, path)
    except ArchiveError:
        if source.holds(file.digest):
            raise
        return False  # it was removed a moment ago
    return True
