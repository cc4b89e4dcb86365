"""The data folder: made for its owner alone, and held by one ``nightread up`` at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening.errors import ArchiveError, DependencyError


def make_data_folder(folder: Path) -> None:
    """Make the folder where it is missing, readable by its owner alone.

    Raises
    ------
    ArchiveError
        If it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"cannot make NIGHTREAD_DATA_DIR {folder}: {error.strerror}; name a folder that this "
            "user may write"
        ) from None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it when this process ends, however it ends.

    Raises
    ------
    ArchiveError
        If the folder cannot be written.
    DependencyError
        If another process holds it.
    """
    make_data_folder(folder)
    lock = folder / "up.lock"
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ArchiveError(
            f"cannot write {lock}: {error.strerror}; check its owner and permissions"
        ) from None
    try:
        _lock(descriptor, folder)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        raise DependencyError(
            f"nightread up already runs on {folder} (process {holder or 'unknown'}): stop it, or "
            "name another folder in NIGHTREAD_DATA_DIR"
        ) from None
