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
    from screening.archive.copying import copy_files
    from screening.archive.folder_archive import opened_source
    from screening.archive.opening import open_archive
    from screening.records.snapshot import read_snapshot, require_snapshot
    from screening.settings_source import load_settings

    settings = load_settings()
    with held(settings.data_dir):
        require_snapshot(settings.records_url, folder)
        copied = 0
        if (folder / "archive").is_dir():
            source, target = opened_source(folder / "archive"), open_archive(settings)
            target.require_there()
            with progress(remarks()) as bar:
                task = bar.add_task("files", total=None)
                for is_new in copy_files(source, target):
                    copied += is_new
                    bar.advance(task)
        else:
            where = settings.archive_url or settings.archive_dir
            remark(f"{folder} holds no archive: put its files into {where}")
        _restore_key(folder, settings.export_key)
        # At last: a restore that was cut off before can be run again.
        read_snapshot(settings.records_url, folder)
    remark(f"the records and {copied} files are restored: nightread verify compares them")


def _restore_key(folder: Path, key: Path) -> None:
    """Put the key of exports back, never over another one."""
    from nightread.terminal import remark
    from screening.teaching.pseudonyms import copy_key

    kept = folder / key.name
    if kept.exists() and not copy_key(kept, key):
        remark(f"{key} is another key and stays: exports go on with its pseudonyms, not {kept}'s")
