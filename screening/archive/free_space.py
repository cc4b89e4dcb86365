"""How much room is left where the archive is."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

# A disk answers within a millisecond, and a share whose server is gone perhaps never.
_PATIENCE_SECONDS = 0.5


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


class LowDisk:
    """The same for who must not wait: a page, whatever becomes of the disk.

    Parameters
    ----------
    folder, low_bytes
        As for `free_if_low`.
    """

    def __init__(self, folder: Path, low_bytes: int) -> None:
        self._folder, self._low_bytes = folder, low_bytes
        self._free: int | None = None
        self._asking: threading.Thread | None = None
        self._lock = threading.Lock()

    def free(self) -> int | None:
        """Return what `free_if_low` does, or what it did last where the disk does not answer."""
        begun = self._begin()
        if begun is not None:
            begun.join(_PATIENCE_SECONDS)
        return self._free

    def _begin(self) -> threading.Thread | None:
        """Ask, unless somebody does: pages come by many threads at the same moment."""
        with self._lock:
            if self._asking is not None and self._asking.is_alive():
                return None
            self._asking = threading.Thread(target=self._ask, name="low-disk", daemon=True)
            self._asking.start()
            return self._asking

    def _ask(self) -> None:
        self._free = free_if_low(self._folder, self._low_bytes)
