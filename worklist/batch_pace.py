"""How fast a batch goes, and how long it will take."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from screening.domain.night_batch import BatchState
from screening.records.night_batches import Batch
from screening.records.night_tally import BatchTally, is_complete


@dataclass(frozen=True, slots=True)
class Pace:
    """A batch at a moment.

    Attributes
    ----------
    now
        UTC.
    """

    batch: Batch
    tally: BatchTally
    now: dt.datetime

    @property
    def done(self) -> int:
        """Studies that nobody fetches any more and of which no image waits; about so many."""
        settled = self.tally.settled - (self.tally.planned - self.tally.wanted)
        return settled - min(self.tally.waiting, settled)

    @property
    def per_hour(self) -> float | None:
        """Studies, on average since its round began or, at its end, in all; ``None`` before any."""
        began = self.batch.begun_at
        if self.batch.rounds > 1 and self.batch.ended_at is None:
            # All of them are looked at once more.
            began = self.batch.asked_at or began
        hours = ((self.batch.ended_at or self.now) - began) / dt.timedelta(hours=1)
        return self.done / hours if self.done and hours > 0 else None

    @property
    def minutes_left(self) -> int | None:
        """At this pace; ``None`` where nobody can say."""
        pace = self.per_hour
        if self.batch.state is not BatchState.RUNNING or not pace:
            return None
        return round(60 * (self.tally.wanted - self.done) / pace)

    @property
    def is_complete(self) -> bool:
        """Whether it has ended with every image here, and none of them waiting."""
        return is_complete(self.batch, self.tally)
