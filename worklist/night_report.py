"""What is to be known of a night in the morning: is it complete, and what needs a person."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from screening.domain.agreement import ReviewedCase
from screening.domain.canary import CanaryScore
from screening.domain.night import day_window, night_window
from screening.domain.night_batch import ARCHIVE, BatchState
from screening.records.agreement import reviewed_cases
from screening.records.canaries import canaries_not_scored, read_canaries
from screening.records.case_filter import CaseFilter
from screening.records.cases import Case, list_cases
from screening.records.engine import Records
from screening.records.ledger import Ledger, read_ledger
from screening.records.night_batches import Batch, list_batches
from screening.records.night_counts import (
    ImageCount,
    count_given_up,
    count_groups,
    count_images,
    settled_moments,
    study_scores,
)
from screening.records.night_studies import BatchStudy, exceptions_of
from screening.records.night_tally import BatchTally, is_complete, tally_batch
from worklist.night_comparison import Unusual, compare
from worklist.night_plan import NightPlan

NIGHTS_BEFORE = 14
"""With how many a night is compared."""


@dataclass(frozen=True, slots=True)
class NightBatch:
    """A batch of the night, with what is missing of it."""

    batch: Batch
    tally: BatchTally
    exceptions: tuple[BatchStudy, ...]


@dataclass(frozen=True, slots=True)
class NightReport:
    """A night, from noon to noon or to now.

    Attributes
    ----------
    night
        The day on which it began.
    since, until
        Its first and last moment, UTC.
    scheduled
        What should have begun in it and did not, or is to begin; a sentence each.
    batches
        On which somebody was at work in it.
    images
        Of the studies that came in it.
    ledger
        Of everything since then: whether it adds up.
    cases
        Flagged, in the order of the list.
    by_hour
        Images that got a score or a reason in each hour, from the first.
    controls
        Each figure that is compared, the unusual ones first.
    discordant
        Reviews of the day before in which the reviewer saw something else.
    deliveries_given_up
        Studies whose results a destination never took, and that were given up in the night.
    canaries
        What the model says of its phantoms as the night begins.
    canaries_not_scored
        How often they were to be scored and no worker did.
    """

    night: dt.date
    since: dt.datetime
    until: dt.datetime
    scheduled: tuple[str, ...]
    batches: tuple[NightBatch, ...]
    images: ImageCount
    ledger: Ledger
    cases: tuple[Case, ...]
    by_hour: tuple[tuple[dt.datetime, int], ...]
    controls: tuple[Unusual, ...]
    discordant: tuple[ReviewedCase, ...]
    deliveries_given_up: int
    canaries: tuple[CanaryScore, ...]
    canaries_not_scored: int

    @property
    def unusual(self) -> tuple[Unusual, ...]:
        """Figures outside their limits."""
        return tuple(each for each in self.controls if each.control.is_unusual)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What somebody must look after, though the night is complete; a sentence each."""
        found = [
            f"canary {each.name}: {_said(each)}, and the first time {_score(each.first)} "
            f"({each.model} {each.model_version})"
            for each in self.canaries
            if each.has_moved
        ]
        found += sorted(
            {
                f"{each.model} {each.model_version} has other weights than before"
                for each in self.canaries
                if each.other_weights
            }
        )
        if self.canaries_not_scored:
            found.append("canaries wait: no worker has scored the phantoms of this night")
        for each in self.batches:
            if each.batch.state is BatchState.CANCELLED and each.batch.schedule is None:
                found.append(f"batch {each.batch.row} was cancelled")
            elif each.tally.planned and not each.tally.wanted:
                found.append(
                    f"batch {each.batch.row}: none of {each.tally.planned} studies has what was "
                    "asked for: is that so?"
                )
        if self.ledger.answers.refused:
            found.append(
                f"images that the door refused since then: {self.ledger.answers.refused}; whether "
                "they came again its sender knows: nightread associations --refused"
            )
        if self.deliveries_given_up:
            found.append(
                f"studies whose results a destination never took: {self.deliveries_given_up}; "
                "nightread deliveries says why"
            )
        return tuple(found)

    @property
    def missing(self) -> int:
        """Images that a PACS has and we have not."""
        return sum(each.tally.missing for each in self.batches)

    @property
    def open_ends(self) -> tuple[str, ...]:
        """Why the night is not complete, a sentence each; empty if it is."""
        found = [f"the books do not add up: {each}" for each in self.ledger.discrepancies]
        waiting = self.images.waiting + self.ledger.waiting_earlier
        if waiting:
            found.append(f"images that wait for a score: {waiting}")
        found += self.scheduled
        for each in self.batches:
            found += _open_ends(each)
        return tuple(found)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for has come and has a score or a reason."""
        return not self.open_ends


def read_night(
    records: Records,
    night: dt.date,
    now: dt.datetime,
    plan: NightPlan = NightPlan(),  # noqa: B008 - frozen
) -> NightReport:
    """Read all that is to be said of a night.

    Parameters
    ----------
    night
        The day on which it began.
    now
        The present, UTC.
    plan
        What should begin in it is looked for.

    Raises
    ------
    RecordsError
        If the database does not answer.
    """
    since, end = night_window(night, plan.zone)
    until = max(since, min(end, now))
    with records.read() as session:
        ledger = read_ledger(session, now, since)
    with records.read() as session:
        every = list_batches(session, limit=None)
        batches = [
            NightBatch(
                each, tally_batch(session, each.row), tuple(exceptions_of(session, each.row))
            )
            for each in reversed(every)
            if each.begun_at < until and (each.ended_at is None or each.ended_at >= since)
        ]
        before = [
            night_window(night - dt.timedelta(days=days), plan.zone)
            for days in range(1, NIGHTS_BEFORE + 1)
        ]
        tonight = count_groups(session, since, until)
        earlier = [count_groups(session, *each) for each in before]
        old_scores = [score for each in before for score in study_scores(session, *each)]
        scores = study_scores(session, since, until)
        controls = compare(tonight, earlier, scores, old_scores)
        cases = list_cases(session, CaseFilter(since=since, until=until), limit=None)
        canaries = read_canaries(session, since, until)
        not_scored = canaries_not_scored(session, since, until)
        given_up = count_given_up(session, since, until)
        reviewed = reviewed_cases(session, *day_window(night, plan.zone))
        discordant = [each for each in reviewed if each.is_discordant]
        hours = Counter(
            moment.replace(minute=0, second=0, microsecond=0)
            for moment in settled_moments(session, since, until)
        )
        images = count_images(session, since, until)
    return NightReport(
        night=night,
        since=since,
        until=until,
        scheduled=plan.not_begun(since, end, every, now),
        batches=tuple(batches),
        images=images,
        ledger=ledger,
        cases=tuple(cases),
        by_hour=_hours(hours),
        controls=tuple(sorted(controls, key=lambda each: not each.control.is_unusual)),
        discordant=tuple(discordant),
        deliveries_given_up=given_up,
        canaries=tuple(canaries),
        canaries_not_scored=not_scored,
    )


def _said(canary: CanaryScore) -> str:
    return f"not scored, {canary.why}" if canary.why else _score(canary.probability)


def _score(probability: float | None) -> str:
    return "not scored" if probability is None else f"{probability:.3f}"


def _hours(counted: Counter[dt.datetime]) -> tuple[tuple[dt.datetime, int], ...]:
    """Return the images of each hour from the first to the last, those without any as well."""
    if not counted:
        return ()
    first, last = min(counted), max(counted)
    count = int((last - first) / dt.timedelta(hours=1)) + 1
    hours = [first + dt.timedelta(hours=number) for number in range(count)]
    return tuple((hour, counted.get(hour, 0)) for hour in hours)


def _open_ends(found: NightBatch) -> list[str]:
    """Return why a batch is not complete, a sentence each."""
    batch, tally = found.batch, found.tally
    if is_complete(batch, tally):
        return []
    name, ends = f"batch {batch.row}", []
    if batch.state is BatchState.CANCELLED:
        if batch.schedule is None:
            return []  # a person's own, and their own end to it
        ends.append(f"{name}, {batch.schedule}, was cancelled")
    elif batch.state is not BatchState.FINISHED:
        why = f": {batch.last_error}" if batch.last_error else ""
        ends.append(f"{name} is {batch.state.value}{why}")
    if tally.missing:
        ends.append(f"{name}: images at the PACS that are not here: {tally.missing}")
    if tally.failed:
        what = (
            "that the model has not read"
            if batch.source == ARCHIVE
            else "that could not be fetched as a whole"
        )
        ends.append(f"{name}: studies {what}: {tally.failed}")
    if tally.lost:
        ends.append(f"{name}: files that may hold images and brought none in: {tally.lost}")
    if tally.waiting:
        ends.append(f"{name}: images that wait for a score: {tally.waiting}")
    return ends
