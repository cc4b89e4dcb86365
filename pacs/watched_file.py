"""A file that may be written anew while we work by it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from screening.errors import NightreadError

log = structlog.get_logger(__name__)


class WatchedFile(threading.Thread):
    """Looks every few seconds whether a file has changed into another one that can be meant.

    Parameters
    ----------
    path
        The file, as it was read just now.
    check
        Reads it, and raises a `NightreadError` where it cannot be meant: then nothing happens but
        a line in the log, until it is mended.
    changed
        Called once.
    seconds
        Between two looks.
    """

    def __init__(
        self,
        path: Path,
        check: Callable[[], object],
        changed: Callable[[], None],
        seconds: float = 2.0,
    ) -> None:
        super().__init__(name=f"watch {path.name}", daemon=True)
        self._path = path
        self._check = check
        self._changed = changed
        self._seconds = seconds
        self._content = self._read()
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until it has changed, or until `end`."""
        refused = self._content
        while not self._ended.wait(self._seconds):
            content = self._read()
            if content in (self._content, refused):
                continue
            try:
                self._check()
            except NightreadError as error:
                log.warning("file_not_taken", file=str(self._path), error=str(error))
                refused = content
                continue
            log.info("file_read_again", file=str(self._path))
            self._changed()
            return

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None
