"""``nightread backup``: the records at one moment, and the archive's files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; made where missing.")],
    records_only: Annotated[
        bool, typer.Option("--records-only", help="Leave the archive to whoever copies its disk.")
    ] = False,
) -> None:
    """Copy records and archive, while everything runs.

    Into the same folder again only new files are copied. The records are copied first: each file
    that they name was there before.
    """
    from nightread.data_folder import make_data_folder
    from nightread.database import opened
    from nightread.terminal import progress, remark, remarks
    from screening.archive.archive import Archive
    from screening.archive.copying import copy_files
    from screening.errors import ArchiveError
    from screening.records.snapshot import count_instances, write_snapshot
    from screening.settings_source import load_settings

    settings = load_settings()
    make_data_folder(folder)
    with opened(settings) as records:
        count = count_instances(records)
        path = write_snapshot(settings.records_url, folder)
    remark(f"{path}: the records of {count} images")
    if records_only:
        return
    try:
        with progress(remarks()) as bar:
            task = bar.add_task("files", total=count)
            copied = 0
            for is_new in copy_files(Archive(settings.archive_dir), Archive(folder / "archive")):
                copied += is_new
                bar.advance(task)
    except OSError as error:
        raise ArchiveError(
            f"the archive could not be copied: {error.strerror}; make room, and run it again"
        ) from None
    remark(f"{folder / 'archive'}: {copied} new files")
