"""The sweep: whatever Redis forgot is announced again from SQL."""

from __future__ import annotations

import threading

import structlog

from screening.errors import NightreadError
from screening.queue.announcement import Announcer

log = structlog.get_logger(__name__)


class Sweeper(threading.Thread):
    """Announces, every few seconds, what is due and what was lost.

    Every worker has one: two that find the same study send two messages, of which the second finds
    nothing to do.

    Parameters
    ----------
    announcer
        What it runs.
    seconds
        Between two rounds.
    """

    def __init__(self, announcer: Announcer, seconds: float) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._announcer = announcer
        self._seconds = seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Go round until stopped; what fails now is tried in the next round."""
        while not self._stopping.wait(self._seconds):
            try:
                self._announcer.announce_due()
                self._announcer.announce_lost()
                self._announcer.announce_canaries()
            except NightreadError as error:
                log.error("sweep_failed", error=str(error))
            except Exception:
                # Without the sweep nobody would look for what Redis forgot: it goes on whatever
                # a library throws.
                log.exception("sweep_failed")

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopping.set()
