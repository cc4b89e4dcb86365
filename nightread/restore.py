"""``nightread restore``: an installation from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def restore(
    folder: Annotated[Path, typer.Argument(help="That nightread backup wrote.")],
) -> None:
    """Make an installation from a backup.

    Nothing that is there is overwritten: into an empty data folder, or an empty database of
    PostgreSQL. Then nightread migrate, where this release is newer; nightread verify; and
    nightread up.
    """
    from nightread.data_folder import held
    from nightread.terminal import progress, remark, remarks
    from screening.archive.archive import Archive
    from screening.archive.copying import copy_files
    from screening.errors import ArchiveError
    from screening.records.snapshot import read_snapshot, require_snapshot
    from screening.settings_source import load_settings

    settings = load_settings()
    with held(settings.data_dir):
        require_snapshot(settings.records_url, folder)
        copied = 0
        if (folder / "archive").is_dir():
            source, target = Archive(folder / "archive"), Archive(settings.archive_dir)
            try:
                with progress(remarks()) as bar:
                    task = bar.add_task("files", total=None)
                    for is_new in copy_files(source, target):
                        copied += is_new
                        bar.advance(task)
            except OSError as error:
                raise ArchiveError(
                    f"the archive could not be restored: {error.strerror}; make room, and run it "
                    "again"
                ) from None
        else:
            remark(f"{folder} holds no archive: put its files into {settings.archive_dir}")
        # At last: a restore that was cut off before can be run again.
        read_snapshot(settings.records_url, folder)
    remark(f"the records and {copied} files are restored: nightread verify compares them")
