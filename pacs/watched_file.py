"""A file that may be written anew while we work by it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

_Read = TypeVar("_Read")


class WatchedFile(threading.Thread, Generic[_Read]):
    """Reads a file, and looks every few seconds whether it has become another that can be meant.

    Parameters
    ----------
    path
        The file.
    read
        Reads it, and raises an error where it cannot be meant. For the first time it is raised;
        later nothing happens but a line in the log, until the file is mended.
    changed
        Called whenever `found` is another.
    seconds
        Between two looks.

    Attributes
    ----------
    found
        What was read last.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], _Read],
        changed: Callable[[], None],
        seconds: float = 2.0,
    ) -> None:
        super().__init__(name=f"watch {path.name}", daemon=True)
        self._path = path
        self._take = read
        self._changed = changed
        self._seconds = seconds
        # The content first: what is written while we read is a change.
        self._content = self._bytes()
        self.found = read()

    def run(self) -> None:
        """Look as long as the process lives."""
        while True:
            threading.Event().wait(self._seconds)
            content = self._bytes()
            if content == self._content:
                continue
            self._content = content
            try:
                self.found = self._take()
            except Exception as error:
                # Whatever is written there: the one before holds.
                log.warning("file_not_taken", file=str(self._path), error=str(error))
                continue
            log.info("file_read_again", file=str(self._path))
            self._changed()

    def _bytes(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None
