"""Where the files of a delivery lie until they are sent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "delivery-"


@contextlib.contextmanager
def outgoing_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder for the files of one delivery, and remove it after.

    It is locked while somebody lives who needs it: what a killed courier left in ``parent`` holds
    patients, and is removed by whoever comes next.

    Raises
    ------
    OSError
        If no folder can be made there.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(parent):
        _remove_unlocked(parent)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def remove_left(parent: Path) -> None:
    """Remove what killed couriers left, and nothing that somebody is at work on."""
    if parent.is_dir():
        with _locked(parent):
            _remove_unlocked(parent)


def _remove_unlocked(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # its courier has just removed it, or it is another user's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # somebody is at work on it
        finally:
            os.close(lock)
