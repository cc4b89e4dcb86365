"""What becomes of a batch that was read: an opinion on each image, or a reason for none."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

import structlog

from models.screener import CLOSE_REDUCED, Opinion, Screener
from screening.domain.observation import Observation
from screening.domain.reason import Exclusion, Reason
from screening.records.claims import ClaimedInstance
from screening.records.results import Result
from worker.batch import Batch, observation
from worker.heartbeat import Heartbeat
from worker.reading import Excluded, Failed, Reading, Ready

log = structlog.get_logger(__name__)


class StartReading(Protocol):
    """Has an image read, or says at once why it cannot be."""

    def __call__(
        self, instance: ClaimedInstance, *, exact: bool = False
    ) -> Future[Reading] | Reading:
        """With ``exact`` at its full resolution."""


class Scoring:
    """Finds an outcome for each image of a batch.

    Parameters
    ----------
    screener
        Who scores.
    read
        Reads an image once more, at its full resolution, where the call is close.
    abstain_unlike
        Whether an image that is unlike the model's training images gets no score.
    """

    def __init__(self, screener: Screener, read: StartReading, *, abstain_unlike: bool) -> None:
        self._screener = screener
        self._read = read
        self._abstain_unlike = abstain_unlike

    def score(self, batch: Batch, heartbeat: Heartbeat) -> None:
        """Find an outcome for each image; where scoring fails, each fails that has none yet."""
        ready = self._ready(batch, batch.read)
        try:
            self._conclude(batch, ready, heartbeat)
        except Exception as error:
            # Each of them is tried alone in the next round.
            log.exception("batch_failed", images=len(ready))
            failed = Failed(f"{type(error).__name__} while scoring")
            batch.outcomes = dict.fromkeys(ready, failed) | batch.outcomes

    def _ready(self, batch: Batch, read: Mapping[int, Reading]) -> dict[int, Ready]:
        """Return what can be scored; the rest has its outcome."""
        ready: dict[int, Ready] = {}
        for row, reading in read.items():
            match reading:
                case Ready():
                    ready[row] = reading
                case Excluded(exclusion, quality):
                    batch.outcomes[row] = exclusion
                    if quality is not None:
                        batch.seen[row] = Observation(quality)
                case Failed():
                    log.error("image_failed", **_uids(batch.claimed[row]), error=reading.error)
                    batch.outcomes[row] = reading
        return ready

    def _conclude(self, batch: Batch, ready: Mapping[int, Ready], heartbeat: Heartbeat) -> None:
        """Score images; what was read at less than its resolution and is close, once more."""
        opinions = self._opinions_of(ready, batch)
        close = [
            row
            for row, item in ready.items()
            if item.reduced
            and self._screener.is_close(opinions[row].prediction, CLOSE_REDUCED, batch.points)
        ]
        for row, opinion in opinions.items():
            if row not in close:
                self._note(batch, row, ready[row], opinion)
        if close:
            whole = self._ready(batch, self._read_whole(batch, close, heartbeat))
            for row, opinion in self._opinions_of(whole, batch).items():
                self._note(batch, row, whole[row], opinion)

    def _read_whole(
        self, batch: Batch, rows: Sequence[int], heartbeat: Heartbeat
    ) -> dict[int, Reading]:
        started = {row: self._read(batch.claimed[row], exact=True) for row in rows}
        read: dict[int, Reading] = {}
        for row, reading in started.items():
            read[row] = reading.result() if isinstance(reading, Future) else reading
            heartbeat.came_on()
        batch.read |= read
        return read

    def _note(self, batch: Batch, row: int, ready: Ready, opinion: Opinion) -> None:
        batch.outcomes[row] = self._result(opinion)
        batch.seen[row] = observation(ready, opinion, batch.seconds[row])

    def _opinions_of(self, ready: Mapping[int, Ready], batch: Batch) -> dict[int, Opinion]:
        started = time.monotonic()
        found = self._screener.score([item.image for item in ready.values()], batch.points)
        share = (time.monotonic() - started) / max(1, len(ready))
        for row in ready:
            batch.seconds[row] = batch.seconds.get(row, 0.0) + share
        return dict(zip(ready, found, strict=True))

    def _result(self, opinion: Opinion) -> Result:
        """Abstain where a score would be a guess."""
        prediction = opinion.prediction
        if prediction.unlike and self._abstain_unlike:
            return Exclusion(Reason.UNLIKE_TRAINING, str(prediction.familiarity))
        return prediction


def _uids(instance: ClaimedInstance) -> dict[str, str]:
    """Return what a line of the log about an image names it by."""
    return {
        "study_instance_uid": instance.study_instance_uid,
        "sop_instance_uid": instance.sop_instance_uid,
    }
