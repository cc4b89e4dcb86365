"""Images that were claimed together, and what is becoming of each."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from models.explanation.anatomy import outside_share
from models.screener import Opinion
from screening.domain.observation import KeptHeatmap, Observation
from screening.domain.prediction import Prediction
from screening.domain.reason import Reason
from screening.domain.verdict import OperatingPoints, Verdict
from screening.records.claims import ClaimedInstance
from screening.records.results import Result
from screening.watching.figures import FAILED_ATTEMPTS, NOT_SCORED, SCORES, begin_at_zero
from worker.reading import Failed, Reading, Ready

begin_at_zero(SCORES, [verdict.value for verdict in Verdict])
begin_at_zero(NOT_SCORED, [reason.value for reason in Reason])


@dataclass(slots=True)
class Batch:
    """A batch on its way through the pipeline; everything by instance row.

    Attributes
    ----------
    claimed
        All of its images.
    points
        What they are judged by.
    reading, read
        Those that are being read, and what came of it.
    outcomes
        What is to be recorded of each, or why it is to be tried again.
    seen
        What else was seen of some.
    seconds
        That scoring each took, by its share.
    """

    claimed: dict[int, ClaimedInstance]
    points: OperatingPoints
    reading: dict[int, Future[Reading]] = field(default_factory=dict)
    read: dict[int, Reading] = field(default_factory=dict)
    outcomes: dict[int, Result | Failed] = field(default_factory=dict)
    seen: dict[int, Observation] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)


def count_outcomes(batch: Batch) -> None:
    """Count what became of a batch, for whoever watches the worker."""
    for outcome in batch.outcomes.values():
        match outcome:
            case Prediction():
                SCORES.labels(batch.points.verdict(outcome.probability).value).inc()
            case Failed():
                FAILED_ATTEMPTS.inc()
            case _:
                NOT_SCORED.labels(outcome.reason.value).inc()


def observation(ready: Ready, opinion: Opinion, seconds: float) -> Observation:
    """Return what is recorded of an image beside its score."""
    kept = None
    if opinion.heatmap is not None:
        share = outside_share(opinion.heatmap, ready.image)
        kept = KeptHeatmap(opinion.heatmap.png(), share)
    return Observation(ready.quality, opinion.view_spread, kept, seconds)
