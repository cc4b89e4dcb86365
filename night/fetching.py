"""A batch's studies are looked at, some at a time, and what came of it is recorded."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from night.sources import Source
from night.visit import Visit, Visitor
from pacs.echo import echo
from pacs.peer import Peer, Trouble
from pacs.question import Question
from screening.archive.archive import Archive
from screening.domain.night_batch import MOST_ATTEMPTS, FetchState, pause_after
from screening.errors import AssociationError, NightreadError, RetrieveError
from screening.records import night_studies
from screening.records.engine import Records
from screening.records.night_batches import Batch
from screening.records.night_studies import BatchStudy
from screening.records.night_tally import put_back_images

log = structlog.get_logger(__name__)


class Fetcher:
    """Fetches studies of one source.

    Parameters
    ----------
    records, archive, source, door, own_ae_title, folder
        As for `night.runner.Runner`, of which this is a part.
    stopped
        Set when the night is to end: what is on its way is cut.
    lease, shortest_pause, now
        As for `night.runner.Runner`.
    """

    def __init__(
        self,
        records: Records,
        archive: Archive,
        source: Source,
        door: Peer,
        own_ae_title: str,
        folder: Path,
        stopped: threading.Event,
        *,
        lease: dt.timedelta,
        shortest_pause: dt.timedelta,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._records = records
        self._archive = archive
        self._source = source
        self._door = door
        self._own_ae_title = own_ae_title
        self._folder = folder
        self._stopped = stopped
        self._lease = lease
        self._shortest_pause = shortest_pause
        self._now = now

    def fetch(self, batch: Batch) -> bool:
        """Look at the studies that are due next, and say whether there was any.

        Raises
        ------
        NightreadError
            If the PACS, our own door or the disk is not there for the moment: no study's fault.
        """
        studies = self._take(batch, self._source.associations)
        if not studies:
            return False
        visitor = Visitor(
            self._records,
            self._source,
            self._door,
            self._own_ae_title,
            self._folder,
            self._stopped,
            self._archive.require_space,
        )
        question = Question.model_validate(batch.question)
        with ThreadPoolExecutor(len(studies)) as pool:
            by_name = batch.rounds > 1
            looks = list(pool.map(lambda each: _look_at(visitor, each, question, by_name), studies))
        away: NightreadError | None = None
        for study, look in zip(studies, looks, strict=True):
            if isinstance(look, Visit) and (look.arrived or look.here >= look.expected):
                self._settle(study, look)
                continue
            # Nobody is there, or our own door is shut: that is no attempt of this study's.
            trouble = look if isinstance(look, AssociationError) else self._shut()
            if self._stopped.is_set():
                trouble = AssociationError("the night was asked to end", Trouble.OTHER)
            if trouble is not None:
                self._give_back(study)
                away = trouble
            elif isinstance(look, Visit):
                self._settle(study, look)
            else:
                self._settle_failed(study, str(look))
        if away is not None:
            raise away
        return True

    def _take(self, batch: Batch, count: int) -> list[BatchStudy]:
        taken: list[BatchStudy] = []
        with self._records.begin() as session:
            while len(taken) < count:
                study = night_studies.take_study(session, batch.row, self._now(), self._lease)
                if study is None:
                    break
                taken.append(study)
        return taken

    def _shut(self) -> NightreadError | None:
        """Return why nothing can come in by our own door; ``None`` if it can."""
        try:
            self._archive.require_space()
            echo(self._door)
        except NightreadError as error:
            return error
        return None

    def _settle(self, study: BatchStudy, visit: Visit) -> None:
        now = self._now()
        is_all_here = visit.here >= visit.expected
        attempts = 0 if visit.arrived or is_all_here else study.attempts + 1
        if visit.expected == 0:
            state = FetchState.NONE
        elif is_all_here:
            came = study.arrived + len(visit.arrived)
            state = FetchState.FETCHED if came else FetchState.HELD
        else:
            state = FetchState.FAILED if attempts >= MOST_ATTEMPTS else FetchState.PLANNED
        why = visit.explanation or "the PACS sent fewer images than it says it has"
        with self._records.begin() as session:
            night_studies.settle_study(
                session,
                study,
                state,
                now,
                expected=visit.expected,
                here=visit.here,
                missing=visit.missing,
                arrived=len(visit.arrived),
                attempts=attempts,
                due_at=now + pause_after(max(1, attempts), self._shortest_pause),
                error=None if is_all_here else why,
            )
            if visit.arrived:
                put_back_images(session, visit.arrived)

    def _settle_failed(self, study: BatchStudy, why: str) -> None:
        now, attempts = self._now(), study.attempts + 1
        state = FetchState.FAILED if attempts >= MOST_ATTEMPTS else FetchState.PLANNED
        due_at = now + pause_after(attempts, self._shortest_pause)
        with self._records.begin() as session:
            night_studies.settle_study(
                session, study, state, now, attempts=attempts, due_at=due_at, error=why
            )

    def _give_back(self, study: BatchStudy) -> None:
        with self._records.begin() as session:
            night_studies.settle_study(
                session,
                study,
                FetchState.PLANNED,
                self._now(),
                attempts=study.attempts,
                error=study.last_error,
            )


def _look_at(
    visitor: Visitor, study: BatchStudy, question: Question, by_name: bool
) -> Visit | NightreadError:
    try:
        return visitor.look_at(study.study_instance_uid, question, by_name=by_name)
    except NightreadError as error:
        return error
    except Exception as error:
        # Whatever it is, the next study is another one. The message may hold a patient.
        log.exception("study_crashed", study_instance_uid=study.study_instance_uid)
        return RetrieveError(f"it failed with {type(error).__name__}")
