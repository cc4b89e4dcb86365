"""``nightread backup``: the records at one moment, the export key, and the archive's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.settings import Settings


def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; made where missing.")],
    records_only: Annotated[
        bool, typer.Option("--records-only", help="Leave the archive to whoever copies its disk.")
    ] = False,
) -> None:
    """Copy records and archive while everything runs.

    The key of exports goes with them. Into the same folder again only new files are copied. The
    records are copied first: each file that they name was there before.
    """
    from nightread.data_folder import make_data_folder
    from nightread.database import opened
    from nightread.terminal import remark
    from screening.errors import ArchiveError
    from screening.records.snapshot import count_instances, write_snapshot
    from screening.settings_source import load_settings

    settings = load_settings()
    make_data_folder(folder)
    if folder.resolve() == settings.data_dir.resolve():
        raise ArchiveError(f"{folder} is the installation itself: name another folder")
    with _alone(folder):
        with opened(settings) as records:
            count = count_instances(records)
            path = write_snapshot(settings.records_url, folder)
        remark(f"{path}: the records of {count} images")
        _copy_key(settings.export_key, folder)
        if not records_only:
            copied = _copy_archive(settings, folder / "archive", count)
            remark(f"{folder / 'archive'}: {copied} new files")


def _copy_archive(settings: Settings, folder: Path, count: int) -> int:
    """Copy the files that are not there yet, about ``count``, and return how many it was."""
    from nightread.terminal import progress, remarks
    from screening.archive.copying import copy_files
    from screening.archive.folder_archive import FolderArchive
    from screening.archive.opening import open_archive

    copied = 0
    with progress(remarks()) as bar:
        task = bar.add_task("files", total=count)
        for is_new in copy_files(open_archive(settings), FolderArchive(folder)):
            copied += is_new
            bar.advance(task)
    return copied


def _copy_key(key: Path, folder: Path) -> None:
    """Copy the key of exports, where there is one."""
    from nightread.terminal import remark
    from screening.teaching.pseudonyms import copy_key

    if not key.exists():
        return
    if copy_key(key, folder / key.name):
        remark(f"{folder / key.name}: the key of exports; who has it can find patients again")
    else:
        remark(f"{folder / key.name} is another key and stays: {key} is NOT in this backup")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder: two that write into it would cut each other's files."""
    import fcntl

    from screening.errors import ArchiveError

    with (folder / "backup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveError(f"a backup into {folder} is under way: wait for its end") from None
        yield
