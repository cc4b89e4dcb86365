"""Lets the rules remove what is due when their file says so: at its hour, or while the disk is low.

What is not due is never removed, however full the disk.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection

import structlog

from night.retention_rules import Retention
from night.retention_run import Gone, RetentionRun
from screening.archive.archive import Archive
from screening.domain.account import Actor, Role
from screening.domain.retention import Policy
from screening.errors import NightreadError
from screening.records.engine import Records
from screening.watching.figures import RETENTION_FAILURES

log = structlog.get_logger(__name__)

_BY_ITSELF = Actor("night", Role.ADMIN, "night")
_EVERY_SECONDS = 30.0
STOP_SECONDS = 35.0
"""For how long an end waits: a store may take half a minute to remove a file."""
# One that is started within this of its hour has not missed it.
_PUNCTUAL = dt.timedelta(hours=1)
_SAY_AGAIN = dt.timedelta(hours=1)


class Keeper(threading.Thread):
    """Looks now and again whether something is to go.

    Parameters
    ----------
    records, archive
        Whose pixels go.
    read_rules
        Reads the file of rules; a file that cannot be meant removes nothing.
    read_places
        Returns the names of the destinations; ``None`` where none are configured.
    is_low
        Whether the disk is low.
    now
        The clock.
    """

    def __init__(
        self,
        records: Records,
        archive: Archive,
        read_rules: Callable[[], tuple[Retention, Policy]],
        read_places: Callable[[], Collection[str] | None],
        is_low: Callable[[], bool],
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._records = records
        self._archive = archive
        self._read_rules = read_rules
        self._read_places = read_places
        self._is_low = is_low
        self._now = now
        self._stopped = threading.Event()
        self._begun_at = now() - _PUNCTUAL
        self._said_at: dt.datetime | None = None
        self._is_settled = False

    def run(self) -> None:
        """Look until stopped; what fails now is tried at the next look."""
        while True:
            try:
                self.step()
            except (NightreadError, OSError) as error:
                RETENTION_FAILURES.inc()
                log.error("retention_not_run", error=str(error))
            except Exception:
                # Whatever a library throws. The message may hold a patient.
                RETENTION_FAILURES.inc()
                log.exception("retention_crashed")
            if self._stopped.wait(_EVERY_SECONDS):
                return

    def stop(self) -> None:
        """End between two files."""
        self._stopped.set()
        self.join(STOP_SECONDS)

    def step(self) -> Gone | None:
        """Remove what is to go now; ``None`` where it is not the time for anything.

        Raises
        ------
        NightreadError
            If the rules cannot be read, or the database or the archive does not answer.
        """
        retention, policy = self._read_rules()
        if not self._is_settled:
            self._new_run(policy).finish()
            self._is_settled = True
        moment = self._moment(retention)
        if moment is not None:
            gone = self._new_run(policy).run()
            log.info("retention_run", files=gone.files, whole=gone.is_whole)
            if gone.not_removed:
                RETENTION_FAILURES.inc()
            if gone.is_whole:
                self._begun_at = moment
            return gone
        if not self._is_low():
            self._said_at = None
            return None
        return self._make_room(retention, policy)

    def _new_run(self, policy: Policy) -> RetentionRun:
        return RetentionRun(
            self._records,
            self._archive,
            policy,
            self._read_places(),
            _BY_ITSELF,
            self._stopped,
            now=self._now,
        )

    def _moment(self, retention: Retention) -> dt.datetime | None:
        """Return the hour that has come since the last run."""
        if not retention.begins:
            return None
        from night.schedule import moments_due

        moment = next(moments_due(retention.begins, retention.zone, self._now()), None)
        return moment if moment is not None and moment > self._begun_at else None

    def _make_room(self, retention: Retention, policy: Policy) -> Gone | None:
        gone = None
        try:
            if retention.when_low:
                gone = self._new_run(policy).run(enough=lambda: not self._is_low())
        finally:
            self._say_low(gone)
        return gone

    def _say_low(self, gone: Gone | None) -> None:
        is_new = self._said_at is None or self._now() - self._said_at > _SAY_AGAIN
        if is_new and self._is_low():
            self._said_at = self._now()
            log.warning(
                "disk_low",
                explanation="nothing that is not due is removed: make room, or shorten a rule",
                removed_files=gone.files if gone is not None else 0,
            )
