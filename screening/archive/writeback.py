"""Asking the kernel to begin with the disk before the sync that waits for it.

Without it a film of 10 MB is received first and written after, each as long as the other.
"""

from __future__ import annotations

import ctypes

# sync_file_range(2), of Linux alone; Python has no name for it.
_WRITE = 2  # SYNC_FILE_RANGE_WRITE: begin, and do not wait
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def begin_writing(descriptor: int) -> None:
    """Have the kernel begin to write what a file has in memory, where it can be told to.

    It is no promise of anything: what goes wrong is the later sync's to tell.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, 0, 0, _WRITE)
