"""The doctor looks at the data folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nightread.finding import Finding, fail, ok, warn
from screening.settings import Settings

_SUBJECT = "data folder"


def check_folder(settings: Settings) -> Finding:
    """Look whether the folder can be written, is private, and has room."""
    folder = settings.data_dir
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        return fail(
            _SUBJECT,
            f"{standing} cannot be written by this user: change its owner, or name another "
            "folder in NIGHTREAD_DATA_DIR",
        )
    free = shutil.disk_usage(standing).free
    room = f"{folder}, {free / 1e9:.1f} GB free"
    if free < settings.minimum_free_bytes:
        return fail(
            _SUBJECT,
            f"{room}, below NIGHTREAD_MINIMUM_FREE_GIGABYTES="
            f"{settings.minimum_free_gigabytes:g}: images are refused until there is room",
        )
    if free < settings.low_free_bytes:
        return warn(
            _SUBJECT,
            f"{room}: the disk is low. Images are refused below "
            f"{settings.minimum_free_gigabytes:g} GB; nightread retention says what may go",
        )
    if standing != folder:
        return ok(_SUBJECT, f"{room}; it will be made")
    if _is_open_to_others(folder):
        return warn(_SUBJECT, f"{room}; others can read it: chmod 700 {folder}")
    return ok(_SUBJECT, room)


def _is_open_to_others(folder: Path) -> bool:
    return bool(folder.stat().st_mode & 0o007)
