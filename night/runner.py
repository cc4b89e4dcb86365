"""Takes batches one step further and another, until each is finished; killed, it goes on there."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from night.fetching import Fetcher
from night.morning import Compose, send_reports
from night.rescreening import rescreen
from night.schedule import begin_nights
from night.sources import Source, Sources
from pacs.peer import Peer
from pacs.question import Question
from screening.archive.archive import Archive
from screening.domain.night import night_of
from screening.domain.night_batch import ARCHIVE, SHORTEST_PAUSE, pause_after
from screening.errors import NightreadError, RecordsError, UnrecordableError
from screening.records import night_batches, night_studies
from screening.records.canaries import ask_for_canaries
from screening.records.engine import Records
from screening.records.night_batches import Batch
from screening.records.night_tally import stat_images_wait, studies_waiting

log = structlog.get_logger(__name__)

_MOST_ROUNDS = 4
_PAGE = 500
_SOON = dt.timedelta(seconds=0.5)
_NOON, _EVENING = dt.time(12), dt.time(18)


class Runner:
    """Runs batches.

    Parameters
    ----------
    records, archive
        What is here, and whether there is room for more.
    sources
        The PACS and the schedules.
    door
        Our own listener, as `night.visit.Visitor` calls it.
    own_ae_title
        Ours, towards a PACS.
    folder
        For what is on its way.
    lease
        After so long a study is taken for a killed runner's. If it is not, another looks at it as
        well, and finds what has come: nothing is doubled.
    shortest_pause
        After the first failure; doubled with each further one.
    now
        The clock.
    compose
        Makes the report of the night; ``None`` where it is sent to nobody.
    """

    def __init__(
        self,
        records: Records,
        archive: Archive,
        sources: Sources,
        door: Callable[[Source], Peer],
        own_ae_title: str,
        folder: Path,
        *,
        lease: dt.timedelta = dt.timedelta(seconds=30),
        shortest_pause: dt.timedelta = SHORTEST_PAUSE,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        compose: Compose | None = None,
    ) -> None:
        self._records = records
        self._archive = archive
        self._sources = sources
        self._door = door
        self._own_ae_title = own_ae_title
        self._folder = folder
        self._lease = lease
        self._shortest_pause = shortest_pause
        self._now = now
        self._compose = compose
        self._away: dict[int, int] = {}
        self._asked: dt.date | None = None
        self._stopped = threading.Event()

    def run(self, every_seconds: float = 1.0) -> None:
        """Run what is due until `stop`."""
        pause = every_seconds
        while not self._stopped.wait(pause):
            pause = every_seconds
            try:
                self.begin_nights()
                self.send_reports()
                if self.step():
                    pause = 0
            except RecordsError as error:
                log.warning("batches_not_read", error=str(error))
            except Exception:
                # Whatever a library throws: the night goes on. The message may hold a patient.
                log.exception("night_crashed")

    def stop(self) -> None:
        """Have `run` end; what is on its way is cut, and fetched at the next start."""
        self._stopped.set()

    def begin_nights(self) -> None:
        """Begin the batches whose night has come."""
        for batch in begin_nights(self._records, self._sources, self._now()):
            log.info("night_begun", batch=batch.row, schedule=batch.schedule)
        if not self._sources.schedule:
            self._ask_for_canaries()

    def _ask_for_canaries(self) -> None:
        """Where no schedule says when a night begins, it does in the evening."""
        zone = self._sources.source[0].zone if self._sources.source else None
        now = self._now()
        night = night_of(now, zone)
        if night != self._asked and not _NOON <= now.astimezone(zone).time() < _EVENING:
            with self._records.begin() as session:
                ask_for_canaries(session, night, now)
            self._asked = night

    def send_reports(self) -> None:
        """Send the reports whose morning has come."""
        if self._compose is not None and self._sources.report:
            send_reports(self._records, self._sources.report, self._compose, self._now())

    def step(self) -> bool:
        """Take each batch that is due one step further, and say whether there was any to take."""
        with self._records.read() as session:
            due = night_batches.due_batches(session, self._now())
        is_any = False
        for batch in due:
            try:
                is_any |= self._step(batch)
                self._away.pop(batch.row, None)
            except UnrecordableError as error:
                # What this PACS said no database takes; the next batch is another one.
                self._wait_for(batch, str(error))
            except RecordsError:
                raise
            except NightreadError as error:
                self._wait_for(batch, str(error))
            except Exception as error:
                # Whatever it is, the next batch is another one. The message may hold a patient.
                log.exception("batch_crashed", batch=batch.row)
                self._wait_for(batch, f"it failed with {type(error).__name__}")
        return is_any

    def _step(self, batch: Batch) -> bool:
        """Take a batch one step further, and say whether the next can follow at once."""
        if batch.source == ARCHIVE:
            return rescreen(self._records, batch, self._now)
        source = self._sources.find(batch.source)
        if source is None:
            self._postpone(batch, self._shortest_pause, f"no source is named {batch.source}")
            return False
        if not source.is_open(self._now()):
            self._postpone(batch, dt.timedelta(minutes=1), "outside the hours of its source")
            return False
        if batch.rounds == 0:
            self._ask(batch, source)
            return True
        with self._records.read() as session:
            next_due = night_studies.next_due(session, batch.row)
            waiting = studies_waiting(session, batch.row)
            is_busy = stat_images_wait(session)
        if next_due is None:
            return self._end(batch, source, waiting)
        if is_busy:
            self._postpone(batch, _SOON, "stat images are read first")
            return False
        if waiting >= source.studies_in_flight:
            self._postpone(batch, _SOON, None)
            return False
        self._archive.require_space()
        return self._fetch_next(batch, source, next_due)

    def _ask(self, batch: Batch, source: Source) -> None:
        """Have the PACS say which studies it has."""
        question = Question.model_validate(batch.question)
        with source.asked(self._own_ae_title, self._stopped) as query:
            found = [
                (each.study_instance_uid, each.accession_number) for each in query.studies(question)
            ]
            unnamed = query.unnamed
        known = {_bare(number) for _, number in found if number}
        unknown = [each for each in question.accession_numbers if _bare(each) not in known]
        # Page by page: on SQLite who writes keeps the door waiting. The round begins at the end;
        # whoever is killed before asks once more.
        for start in range(0, len(found), _PAGE):
            with self._records.begin() as session:
                page = found[start : start + _PAGE]
                night_studies.plan_studies(session, batch, page, self._now())
        with self._records.begin() as session:
            if night_batches.begin_round(session, batch, self._now()):
                night_studies.note_unknown(session, batch, unknown, unnamed, self._now())
        log.info("batch_planned", batch=batch.row, studies=len(found), round=batch.rounds + 1)

    def _end(self, batch: Batch, source: Source, waiting: int) -> bool:
        """End a batch once all is screened and the PACS has said that there is nothing else."""
        if waiting:
            self._postpone(batch, _SOON, None)
            return False
        is_news = batch.rounds == 1 or batch.arrived > 0
        if is_news and batch.rounds < _MOST_ROUNDS:
            self._ask(batch, source)
            return True
        with self._records.begin() as session:
            night_batches.end_batch(session, batch.row, self._now())
        log.info("batch_finished", batch=batch.row)
        return False

    def _fetch_next(self, batch: Batch, source: Source, next_due: dt.datetime) -> bool:
        """Look at the studies that are due next, as many at a time as the source may be asked."""
        now = self._now()
        if next_due > now:
            self._postpone(batch, min(next_due - now, _SOON), None)
            return False
        fetcher = Fetcher(
            self._records,
            self._archive,
            source,
            self._door(source),
            self._own_ae_title,
            self._folder,
            self._stopped,
            lease=self._lease,
            shortest_pause=self._shortest_pause,
            now=self._now,
        )
        return fetcher.fetch(batch)

    def _wait_for(self, batch: Batch, why: str) -> None:
        """Postpone a batch whose PACS, disk or door is away, longer each time."""
        self._away[batch.row] = times = self._away.get(batch.row, 0) + 1
        log.warning("batch_waits", batch=batch.row, error=why)
        self._postpone(batch, pause_after(times, self._shortest_pause), why)

    def _postpone(self, batch: Batch, pause: dt.timedelta, why: str | None) -> None:
        with self._records.begin() as session:
            night_batches.postpone_batch(session, batch.row, self._now() + pause, why)


def _bare(accession_number: str) -> str:
    return accession_number.strip().upper()
