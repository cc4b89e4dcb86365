"""What became of a batch goes into the records, even if the database is away for a moment."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from screening.domain.prediction import ModelIdentity
from screening.domain.reason import Exclusion, Reason
from screening.errors import NightreadError, RecordsError, UnrecordableError
from screening.records.batch import Return, record_batch
from screening.records.engine import Records
from screening.records.results import Result, Scorer
from worker.batch import Batch
from worker.reading import Failed

log = structlog.get_logger(__name__)

# Doubled with each attempt: a disk or a memory that is short now may not be in a few seconds.
_BACK_OFF = dt.timedelta(seconds=1)

# Between two looks at an archive that is away: it waits for a person, and so may the images.
_OUTAGE = dt.timedelta(seconds=15)

# How long results are kept for a database that is away, and how often it is asked.
_LONGEST_OUTAGE_SECONDS = 60.0
_BETWEEN_TRIES_SECONDS = 1.0


class Recorder:
    """Writes what one worker found.

    Parameters
    ----------
    records
        Where it goes.
    model
        Whose results they are.
    worker
        Who claimed what is recorded.
    maximum_attempts
        After which an image that failed is not given back, but has its reason.
    """

    def __init__(
        self, records: Records, model: ModelIdentity, worker: str, maximum_attempts: int
    ) -> None:
        self._records = records
        self._model = model
        self._worker = worker
        self._maximum_attempts = maximum_attempts

    def record(self, batch: Batch) -> None:
        """Write results, the verdicts that follow, and what is to be tried again.

        Raises
        ------
        RecordsError
            If the database takes them not, or does not answer for a minute.
        """
        now = dt.datetime.now(dt.UTC)
        results: dict[int, dict[int, Result]] = {}
        returns: list[Return] = []
        for row, outcome in batch.outcomes.items():
            claimed = batch.claimed[row]
            if isinstance(outcome, Failed):
                if outcome.counts and claimed.attempt >= self._maximum_attempts:
                    given_up = Exclusion(Reason.ERROR, outcome.error)
                    batch.outcomes[row] = given_up
                    results.setdefault(claimed.study_row, {})[row] = given_up
                    continue
                pause = _BACK_OFF * 2**claimed.attempt if outcome.counts else _OUTAGE
                returns.append(Return(row, outcome.error, now + pause, outcome.counts))
            else:
                results.setdefault(claimed.study_row, {})[row] = outcome
        deadline = time.monotonic() + _LONGEST_OUTAGE_SECONDS
        while True:
            try:
                return self._write(batch, results, returns, now)
            except UnrecordableError:
                raise
            except RecordsError as error:
                # Scores are dear: the database may be back in a moment.
                if time.monotonic() > deadline:
                    raise
                log.warning("results_wait_for_the_database", error=str(error))
                time.sleep(_BETWEEN_TRIES_SECONDS)

    def give_back(self, batch: Batch, error: BaseException) -> None:
        """Leave a batch to the next turn, since another failed; none of its images is to blame."""
        for reading in batch.reading.values():
            reading.cancel()
        now = dt.datetime.now(dt.UTC)
        why = f"{type(error).__name__} in another batch"
        returns = [
            # One that was claimed to be given up had all its attempts before.
            Return(row, why, now, counts=claimed.attempt > self._maximum_attempts)
            for row, claimed in batch.claimed.items()
        ]
        try:
            self._write(batch, {}, returns, now)
        except NightreadError:
            log.warning("claims_left_to_lapse", images=len(returns))

    def _write(
        self,
        batch: Batch,
        results: Mapping[int, Mapping[int, Result]],
        returns: Sequence[Return],
        now: dt.datetime,
    ) -> None:
        self._records.repeat(
            partial(
                record_batch,
                results=results,
                returns=returns,
                worker=self._worker,
                scorer=Scorer(self._model, batch.points),
                now=now,
                observations=batch.seen,
            )
        )
