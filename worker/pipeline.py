"""The way of an image: claim, read, score, record; and then, for the record, its shadow.

The unit of work is a batch of waiting images, of one study or of several. While one batch is scored
and recorded the next is being read, by processes of their own. Each image ends with a score or a
reason; one that fails is given back and tried again, alone, until its attempts are used up. Running
the pipeline twice changes nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from concurrent.futures import Future

import structlog

from models.screener import Screener
from screening.archive.archive import Archive
from screening.domain.appointment import Appointed
from screening.domain.reason import Exclusion, Reason
from screening.errors import (
    ArchiveAwayError,
    NightreadError,
    OutOfSpaceError,
    RecordsError,
)
from screening.records.appointments import find_appointed
from screening.records.claims import ClaimedInstance, claim
from screening.records.engine import Records
from screening.records.operating_points import find_points
from screening.records.shadow import record_shadow
from screening.settings import Settings
from screening.watching.figures import STAGE_SECONDS
from worker.batch import Batch, count_outcomes
from worker.canaries import do_round
from worker.heartbeat import Heartbeat
from worker.readers import Readers
from worker.reading import Excluded, Failed, Reading, Ready, Request
from worker.recorder import Recorder
from worker.scoring import Scoring
from worker.shadow import Shadow

log = structlog.get_logger(__name__)

# A backlog is left to the next message after this long: a worker that is to stop is not held up,
# and a message is done well before Celery's limit ends a process that hangs.
_LONGEST_TURN_SECONDS = 20.0

# Beyond the time that a batch's images may take to be read: a worker that hangs gives no more signs
# of life then, and others take its images.
_LONGEST_SCORING_SECONDS = 120.0


class Pipeline:
    """Scores waiting images.

    Parameters
    ----------
    settings
        Batch, lease and attempts.
    records, archive, screener, readers
        Where the rows and the bytes are, who scores, and who reads for it and for the shadow.
    worker
        A name for the claims of this process.
    shadow
        Who scores beside the classifier, if anybody does.
    appointed
        As it was when these two were loaded.

    Attributes
    ----------
    is_superseded : bool
        Whether another model was appointed meanwhile: then nothing more is claimed for these.
    """

    def __init__(
        self,
        settings: Settings,
        records: Records,
        archive: Archive,
        screener: Screener,
        readers: Readers,
        worker: str,
        shadow: Shadow | None = None,
        appointed: Appointed = Appointed(),  # noqa: B008 - frozen
    ) -> None:
        self._settings = settings
        self._records = records
        self._archive = archive
        self._screener = screener
        self._readers = readers
        self._model = screener.classifier.identity
        self._own_points = self._points = screener.classifier.points
        self._recorder = Recorder(records, self._model, worker, settings.maximum_attempts)
        self._worker = worker
        self._shadow = shadow
        self._scoring = Scoring(
            screener, self._start_reading, abstain_unlike=settings.abstain_unlike
        )
        self.appointed = appointed
        self.is_superseded = False
        self._lease = dt.timedelta(seconds=settings.lease_seconds)

    def screen(self, study_row: int) -> int:
        """Screen a study and whatever else waits, until nothing does or our turn is over.

        Parameters
        ----------
        study_row
            Number of the row of the study that was announced.

        Returns
        -------
        int
            How many images got a score or a reason.

        Raises
        ------
        RecordsError
            If the database does not answer; what was claimed is taken up when its lease lapses.
        """
        self.is_superseded = False
        silence = self._settings.read_seconds + _LONGEST_SCORING_SECONDS
        heartbeat = Heartbeat(self._records, self._worker, self._lease, silence)
        heartbeat.start()
        try:
            return self._screen(study_row, heartbeat)
        finally:
            heartbeat.stop()

    def score_canaries(self, round_row: int) -> None:
        """Score the phantoms of a round, unless that is done.

        Raises
        ------
        RecordsError
            If the database does not answer.
        """
        do_round(self._records, round_row, self._screener, self._readers)

    def close(self) -> None:
        """End the readers: the pipeline is of no use after it."""
        self._readers.close()

    def _screen(self, study_row: int, heartbeat: Heartbeat) -> int:
        settled = 0
        deadline = time.monotonic() + _LONGEST_TURN_SECONDS
        batch = self._begin(study_row)
        while batch is not None:
            heartbeat.hold(batch.claimed)
            with STAGE_SECONDS.labels("read").time():
                for row, reading in batch.reading.items():
                    batch.read[row] = reading.result()
                    heartbeat.came_on()
            # The next is read while this one is scored.
            following = self._begin_next(study_row, batch) if time.monotonic() < deadline else None
            heartbeat.hold([*batch.claimed, *(following.claimed if following else ())])
            try:
                settled += self._settle(batch, heartbeat)
            except Exception as error:
                if following is not None:
                    self._recorder.give_back(following, error)
                raise
            if following is None and time.monotonic() < deadline:
                # What has just been given back may be due already.
                following = self._begin(study_row)
            batch = following
        return settled

    def _begin(self, study_row: int) -> Batch | None:
        """Claim a batch and have it read; ``None`` if nothing waits for us."""
        batch = self._claim(study_row)
        away: Failed | None = None
        for row, instance in batch.claimed.items():
            reading = away or self._start_reading(instance)
            if isinstance(reading, Future):
                batch.reading[row] = reading
            else:
                batch.read[row] = reading
            if isinstance(reading, Failed) and not reading.counts:
                away = reading  # each further one would wait as long to be told the same
        return batch if batch.claimed else None

    def _begin_next(self, study_row: int, at_hand: Batch) -> Batch | None:
        """Begin another batch beside the one at hand, which must not suffer if that fails.

        Beside an image that failed before there is none: if it takes this process with it, that is
        nobody else's attempt.
        """
        if any(instance.attempt > 1 for instance in at_hand.claimed.values()):
            return None
        try:
            return self._begin(study_row)
        except RecordsError as error:
            log.warning("next_batch_not_claimed", error=str(error))
            return None

    def _claim(self, study_row: int) -> Batch:
        """Claim a batch, with the operating points that are in force as it begins.

        Nothing, where other models are appointed by now: what waits is theirs.
        """
        with self._records.begin() as session:
            if find_appointed(session) != self.appointed:
                self.is_superseded = True
                return Batch({}, self._points)
            claimed = claim(
                session,
                study_row,
                worker=self._worker,
                now=_now(),
                lease=self._lease,
                limit=self._settings.batch_images,
                maximum_attempts=self._settings.maximum_attempts,
            )
            points = find_points(session, self._model) or self._own_points
            if self._shadow is not None:
                self._shadow.judge_by(find_points(session, self._shadow.scorer.identity))
        if points != self._points:
            self._points = points
            log.info("operating_points", **dataclasses.asdict(points))
        return Batch({instance.row: instance for instance in claimed}, points)

    def _start_reading(
        self, instance: ClaimedInstance, *, exact: bool = False
    ) -> Future[Reading] | Reading:
        if instance.attempt > self._settings.maximum_attempts:
            return Excluded(
                Exclusion(Reason.ERROR, instance.last_error or "no attempt came to its end")
            )
        try:
            path = self._archive.open_path(instance.digest)
        except (ArchiveAwayError, OutOfSpaceError) as error:
            # No fault of the image: it waits for somebody to mend that.
            return Failed(f"{error} while reading", counts=False)
        except NightreadError as error:
            return Failed(f"{error} while reading")
        uids = instance.sop_class_uid, instance.sop_instance_uid
        with structlog.contextvars.bound_contextvars(
            study_instance_uid=instance.study_instance_uid
        ):
            return self._readers.read(Request(path, *uids, exact=exact))

    def _settle(self, batch: Batch, heartbeat: Heartbeat) -> int:
        """Score what could be read, and record what became of every image."""
        with STAGE_SECONDS.labels("score").time():
            self._scoring.score(batch, heartbeat)
        with STAGE_SECONDS.labels("record").time():
            self._recorder.record(batch)
        count_outcomes(batch)
        if self._shadow is not None:
            # After the commit: whatever a shadow does, these images are done.
            self._score_in_shadow(self._shadow, batch)
        return sum(not isinstance(outcome, Failed) for outcome in batch.outcomes.values())

    def _score_in_shadow(self, shadow: Shadow, batch: Batch) -> None:
        """Let the shadow score what is settled, and record what it says; nothing is raised."""
        prepared = {
            row: reading.shadow
            for row, reading in batch.read.items()
            if isinstance(reading, Ready)
            and reading.shadow is not None
            and not isinstance(batch.outcomes[row], Failed)
        }
        try:
            results = shadow.score(prepared)
            with self._records.begin() as session:
                record_shadow(session, results, shadow.scorer, _now(), shadow.seconds)
        except Exception:
            log.exception("shadow_not_recorded", images=len(prepared))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
