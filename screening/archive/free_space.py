"""How much room is left where the archive is."""

from __future__ import annotations

import shutil
from pathlib import Path


def free_if_low(folder: Path, low_bytes: int) -> int | None:
    """Return the free bytes of a folder's disk where they are fewer than is comfortable.

    Returns
    -------
    int or None
        ``None`` where there is enough, and where the disk does not say.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return free if free < low_bytes else None
