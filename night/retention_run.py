"""What the rules let go goes: study by study, a few files at a time; killed, it goes on there."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import structlog

from night.retention_outlook import Count, each_over
from screening.archive.archive import Archive
from screening.domain.account import Actor
from screening.domain.counted import counted
from screening.domain.retention import Policy
from screening.errors import ArchiveAwayError, ArchiveError, ClockError
from screening.records import audit
from screening.records.engine import Records
from screening.records.forgetting import decide, finish, unfinished
from screening.records.retention import Judged
from screening.watching.figures import REMOVED_BYTES, REMOVED_FILES

log = structlog.get_logger(__name__)

# While they are removed others wait for these studies, and on SQLite for the database. A store may
# take half a minute to answer, so there it is one file.
_AT_ONCE = 10
_AT_ONCE_FROM_A_STORE = 1
_DECIDED_AT_ONCE = 100
_LONGEST_REST = 30.0
# The days of every rule are counted by our clock. Hosts that follow NTP are apart by far less.
_CLOCKS_APART = dt.timedelta(hours=1)


@dataclass(slots=True)
class Gone:
    """What a run removed, by rule.

    Attributes
    ----------
    by_rule
        What went; files that an earlier run had decided of are counted without a study.
    kept_after_all
        Files that stay though it was decided: something had come of their study.
    not_removed
        Files that the archive refused to remove, and why; the next run tries them again.
    is_whole
        Whether the run came to its end.
    """

    by_rule: dict[str, Count] = field(default_factory=dict)
    kept_after_all: int = 0
    not_removed: dict[str, str] = field(default_factory=dict)
    is_whole: bool = False

    def of(self, rule: str) -> Count:
        """Return the count of a rule."""
        return self.by_rule.setdefault(rule, Count())

    @property
    def files(self) -> int:
        """That were removed."""
        return sum(each.files for each in self.by_rule.values())

    def __str__(self) -> str:
        parts = [
            f"{rule}: {counted(count.studies, 'study', 'studies')}, "
            f"{counted(count.files, 'file')}, {count.size_bytes} bytes"
            for rule, count in sorted(self.by_rule.items())
        ]
        if self.kept_after_all:
            parts.append(f"{counted(self.kept_after_all, 'file')} kept after all")
        if self.not_removed:
            parts.append(f"{counted(len(self.not_removed), 'file')} could not be removed")
        return "; ".join(parts) or "nothing was due"


class RetentionRun:
    """Removes what is due.

    Parameters
    ----------
    records, archive
        Whose pixels go.
    policy
        The rules.
    places
        Names of the destinations; ``None`` where none are configured.
    actor
        Who asked for it, for the audit.
    stopped
        Ends it between two files when set.
    progress
        Called with each study that is done.
    now
        The clock.
    """

    def __init__(
        self,
        records: Records,
        archive: Archive,
        policy: Policy,
        places: Collection[str] | None,
        actor: Actor,
        stopped: threading.Event,
        *,
        progress: Callable[[Judged], None] = lambda study: None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._records = records
        self._archive = archive
        self._policy = policy
        self._places = places
        self._actor = actor
        self._stopped = stopped
        self._progress = progress
        self._now = now
        self._at_once = _AT_ONCE_FROM_A_STORE if archive.is_store else _AT_ONCE
        self._gone = Gone()

    def run(self, enough: Callable[[], bool] | None = None) -> Gone:
        """Finish what was decided before, and then remove what is due, the oldest first.

        Parameters
        ----------
        enough
            Asked before each study: whether no more is to go.

        Raises
        ------
        NightreadError
            If the database or the archive does not answer: run again, it goes on there. Also if
            this host's clock and the database's differ by more than an hour.
        """
        try:
            self.finish()
            for study in each_over(self._records, self._policy, self._places, self._now()):
                if self._stopped.is_set() or (enough is not None and enough()):
                    break
                if study.is_due:
                    self._remove(study)
                self._progress(study)
            else:
                self._gone.is_whole = True
        finally:
            if self._gone.by_rule or self._gone.kept_after_all or self._gone.not_removed:
                self._note_end()
        return self._gone

    def finish(self) -> None:
        """Finish what a killed run had decided.

        Raises
        ------
        NightreadError
            As `run`.
        """
        self._require_true_clock()
        last = ""
        while not self._stopped.is_set():
            with self._records.read() as session:
                digests = unfinished(session, self._at_once, last)
            if not digests:
                return
            self._finish(digests)
            last = digests[-1]

    def _require_true_clock(self) -> None:
        apart = abs(self._records.clock() - dt.datetime.now(dt.UTC))
        if apart > _CLOCKS_APART:
            raise ClockError(
                f"this host's clock and the database's differ by {apart.total_seconds():.0f} s, "
                "and the rules count days: nothing is removed until both follow NTP"
            )

    def _remove(self, study: Judged) -> None:
        is_first = True
        # An empty file is none: it is missing, and not called removed.
        kept = filter(self._archive.size, sorted(study.files))
        while not self._stopped.is_set():
            there = list(islice(kept, _DECIDED_AT_ONCE))
            if not there:
                return
            decided = self._decide(study, there)
            if not decided.is_due:
                return
            assert decided.rule is not None, "without a rule nothing is due"
            self._gone.of(decided.rule.name).studies += is_first
            is_first = False
            digests = sorted(decided.files)
            for start in range(0, len(digests), self._at_once):
                if not self._stopped.is_set():
                    self._finish(digests[start : start + self._at_once])

    def _decide(self, study: Judged, there: Collection[str]) -> Judged:
        with self._turn():
            return self._records.repeat(
                lambda session: decide(
                    session,
                    self._policy,
                    self._places,
                    self._now(),
                    study.row,
                    there,
                    self._actor,
                )
            )

    def _finish(self, digests: Collection[str]) -> None:
        """Remove files together; where one is refused, each alone, so that the others go."""
        try:
            self._finish_together(digests)
        except ArchiveAwayError:
            raise
        except ArchiveError as error:
            if len(digests) > 1:
                for digest in digests:
                    self._finish([digest])
                return
            (digest,) = digests
            self._gone.not_removed[digest] = str(error)
            log.error("file_not_removed", file=digest, error=str(error))

    def _finish_together(self, digests: Collection[str]) -> None:
        there = {each for each in digests if self._archive.holds(each)}
        with self._turn():
            gone, kept = self._records.repeat(
                lambda session: finish(
                    session,
                    self._policy,
                    self._places,
                    self._now(),
                    digests,
                    there,
                    self._archive.remove,
                    self._actor,
                )
            )
        self._gone.kept_after_all += kept
        for each in gone:
            count = self._gone.of(each.rule)
            count.files += 1
            count.size_bytes += each.size_bytes
            REMOVED_FILES.labels(each.rule).inc()
            REMOVED_BYTES.inc(each.size_bytes)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Rest for as long as what is done here took: images come in meanwhile."""
        started = time.monotonic()
        yield
        self._stopped.wait(min(time.monotonic() - started, _LONGEST_REST))

    def _note_end(self) -> None:
        state = "" if self._gone.is_whole else "not at its end: "
        detail = f"{state}{self._gone}; rules {self._policy.digest[:16]}"
        with self._records.begin() as session:
            audit.note(session, self._actor, audit.Event.RETENTION_RUN, self._now(), detail=detail)
