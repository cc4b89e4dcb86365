"""``nightread archive``: makes an archive that several hosts share, and brings images into it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

    Cut off, it goes on where it stopped when it is run again. Example: nightread archive fill
    /var/lib/nightread/archive
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
    with progress(remarks()) as bar:
        task = bar.add_task("files", total=None)
        for is_new in copy_files(opened_source(folder), target):
            files += 1
            copied += is_new
            bar.advance(task)
    remark(f"{copied} of {files} files copied: nightread verify compares them with the records")
