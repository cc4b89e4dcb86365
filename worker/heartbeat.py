"""A worker's sign of life: it prolongs the leases of what it holds, as long as it comes on."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Collection

import structlog

from screening.errors import NightreadError
from screening.records.claims import prolong
from screening.records.engine import Records

log = structlog.get_logger(__name__)

_BEATS_PER_LEASE = 3


class Heartbeat(threading.Thread):
    """Prolongs leases, from a thread of its own.

    Parameters
    ----------
    records
        Where they are.
    worker
        Who holds them.
    lease
        How long each sign of life holds.
    longest_silence_seconds
        A worker that has come no further for so long hangs: its leases are left to lapse.
    """

    def __init__(
        self,
        records: Records,
        worker: str,
        lease: dt.timedelta,
        longest_silence_seconds: float,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._records = records
        self._worker = worker
        self._lease = lease
        self._longest_silence = longest_silence_seconds
        self._held: frozenset[int] = frozenset()
        self._came_on = time.monotonic()
        self._stopping = threading.Event()

    def hold(self, rows: Collection[int]) -> None:
        """Say which images the worker holds now; it has come on."""
        self._held = frozenset(rows)
        self.came_on()

    def came_on(self) -> None:
        """Say that the worker has come on."""
        self._came_on = time.monotonic()

    def run(self) -> None:
        """Beat until stopped."""
        while not self._stopping.wait(self._lease.total_seconds() / _BEATS_PER_LEASE):
            held = self._held
            if held and time.monotonic() - self._came_on < self._longest_silence:
                self._beat(held)

    def _beat(self, held: frozenset[int]) -> None:
        try:
            with self._records.begin() as session:
                until = dt.datetime.now(dt.UTC) + self._lease
                prolong(session, held, worker=self._worker, until=until)
        except NightreadError as error:
            log.warning("leases_not_prolonged", images=len(held), error=str(error))

    def stop(self) -> None:
        """End after the beat that is under way."""
        self._stopping.set()
        if self.is_alive():
            self.join()
