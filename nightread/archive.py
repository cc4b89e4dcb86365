"""``nightread archive``: makes an archive that several hosts share, and brings images into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.settings import Settings

archive = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make an archive on a share or in S3, and move images there.",
)


@archive.command()
def create() -> None:
    """Make the archive that NIGHTREAD_ARCHIVE_URL names, once.

    Nothing else makes it: a share that is not mounted would be taken for a new archive. One that is
    there stays as it is. Example: nightread archive create
    """
    from nightread.terminal import remark
    from screening.archive.opening import open_archive
    from screening.errors import SettingsError
    from screening.settings_source import load_settings

    settings = load_settings()
    if not settings.archive_url:
        raise SettingsError(
            "NIGHTREAD_ARCHIVE_URL is not set: the archive is a folder in NIGHTREAD_DATA_DIR, and "
            "is made when it is first needed"
        )
    made = open_archive(settings).create()
    remark(f"{settings.archive_url}: {'made' if made else 'there already'}")


@archive.command()
def fill(
    folder: Annotated[Path, typer.Argument(help="An archive: a data folder's, or a backup's.")],
) -> None:
    """Copy what the archive lacks from a folder's archive, which stays as it is.

    What a rule of retention removed is not brought back. Cut off, it goes on where it stopped when
    it is run again. Example: nightread archive fill /var/lib/nightread/archive
    """
    from nightread.terminal import progress, remark, remarks
    from screening.archive.copying import copy_files
    from screening.archive.folder_archive import opened_source
    from screening.archive.opening import open_archive
    from screening.errors import ArchiveError
    from screening.settings_source import load_settings

    settings = load_settings()
    if not (folder / "instances").is_dir():
        raise ArchiveError(f"{folder} is no archive: name the folder that holds instances/")
    target = open_archive(settings)
    target.require_there()
    files = copied = 0
    with _removed(settings) as removed, progress(remarks()) as bar:
        task = bar.add_task("files", total=None)
        for is_new in copy_files(opened_source(folder), target, removed):
            files += 1
            copied += is_new
            bar.advance(task)
    remark(f"{copied} of {files} files copied: nightread verify compares them with the records")


@contextmanager
def _removed(settings: Settings) -> Iterator[Callable[[list[str]], set[str]]]:
    """Lend what says which files a rule removed: none, where there are no records yet."""
    from nightread.database import opened
    from screening.records.removals import removed_digests

    if not settings.database_url and not (settings.data_dir / "nightread.sqlite").is_file():
        yield lambda digests: set()
        return
    with opened(settings) as records:

        def removed(digests: list[str]) -> set[str]:
            with records.read() as session:
                return removed_digests(session, digests)

        yield removed
