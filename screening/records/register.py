"""Where instances come in: those that wait at the same moment share a transaction."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from dataclasses import dataclass

from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.lane import Lane
from screening.errors import DeadlockError, RecordsError, UnrecordableError
from screening.records.engine import Records, repeat
from screening.records.intake import Intake, take_in
from screening.records.removals import IsThere


@dataclass(slots=True)
class _Entry:
    """One instance that waits to be taken in, and what became of it."""

    header: InstanceHeader
    kept: KeptFile
    association_row: int
    now: dt.datetime
    announce_at: dt.datetime
    lane: Lane
    calling_ae_title: str | None = None
    intake: Intake | None = None
    error: Exception | None = None


class Register:
    """Takes instances in, for many threads at once.

    A commit waits for the disk, and SQLite lets one writer in at a time. Whoever comes while a
    commit is under way waits for it, and then one of them writes for all that wait.

    Parameters
    ----------
    records
        Where they are written.
    is_there
        As for :func:`screening.records.intake.take_in`.
    """

    def __init__(self, records: Records, is_there: IsThere | None = None) -> None:
        self._records = records
        self._is_there = is_there
        self._writing = threading.Lock()
        self._waiting: deque[_Entry] = deque()

    def take_in(
        self,
        header: InstanceHeader,
        kept: KeptFile,
        *,
        association_row: int,
        now: dt.datetime,
        announce_at: dt.datetime,
        lane: Lane = Lane.STAT,
        calling_ae_title: str | None = None,
    ) -> Intake:
        """Record one instance; when this returns, its row survives a loss of power.

        Parameters
        ----------
        header, kept, association_row, now, announce_at, lane, calling_ae_title
            As for :func:`screening.records.intake.take_in`.

        Raises
        ------
        RecordsError
            If the database refuses this instance or does not answer.
        ArchiveError
            If a rule removed its bytes at this moment.
        """
        entry = _Entry(header, kept, association_row, now, announce_at, lane, calling_ae_title)
        self._waiting.append(entry)
        with self._writing:
            if entry.intake is None and entry.error is None:
                self._write(self._take_waiting())
        if entry.error is not None:
            raise entry.error
        assert entry.intake is not None
        return entry.intake

    def _take_waiting(self) -> list[_Entry]:
        # Others append meanwhile, so each entry is taken by itself; a deque allows for that.
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _write(self, entries: list[_Entry]) -> None:
        # In the same order everywhere: else two processes wait for each other's studies.
        entries.sort(key=lambda entry: entry.header.study_instance_uid)
        try:
            repeat(lambda: self._write_together(entries))
        except Exception as error:
            # A database that does not answer would be waited for as often as there are entries;
            # one entry that it cannot take must not be the others' refusal.
            silent = isinstance(error, RecordsError) and not isinstance(
                error, DeadlockError | UnrecordableError
            )
            if silent or len(entries) == 1:
                for entry in entries:
                    entry.error = error
            else:
                for entry in entries:
                    self._write([entry])

    def _write_together(self, entries: list[_Entry]) -> None:
        with self._records.write() as connection:
            found = [
                take_in(
                    connection,
                    entry.header,
                    entry.kept,
                    association_row=entry.association_row,
                    now=entry.now,
                    announce_at=entry.announce_at,
                    lane=entry.lane,
                    calling_ae_title=entry.calling_ae_title,
                    is_there=self._is_there,
                )
                for entry in entries
            ]
        for entry, intake in zip(entries, found, strict=True):
            entry.intake = intake
