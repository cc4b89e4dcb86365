"""Which nights are to begin: those whose moment has come, and those that were missed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from cronsim import CronSim

from night.sources import Sources
from screening.domain.night import night_of
from screening.records.canaries import ask_for_canaries
from screening.records.engine import Records
from screening.records.night_batches import Batch, begin_batch, newest_night

# Of a schedule's first night: a runner may be started a moment after it.
_PUNCTUAL = dt.timedelta(hours=1)


def moments_due(cron: str, zone: dt.tzinfo, now: dt.datetime) -> Iterator[dt.datetime]:
    """Yield cron's moments up to now, the newest first, without end.

    They are those of the zone. One that a change to summer time leaves out
    comes when the clock goes on; one that the change back repeats comes once.

    Parameters
    ----------
    now
        The present, with a zone.
    """
    local = now.astimezone(zone)
    # The moments before that of the minute after: this very minute's is one of them.
    for moment in CronSim(cron, local + dt.timedelta(minutes=1), reverse=True):
        if moment <= local:
            yield moment


def begin_nights(records: Records, sources: Sources, now: dt.datetime) -> list[Batch]:
    """Begin the batches of nights that are due and were not begun yet; safe to do at any time.

    Of a schedule that was never at work nothing is made up for: its first night begins at its
    moment.

    Raises
    ------
    RecordsError
        If the database does not answer.
    """
    begun = []
    for schedule in sources.schedule:
        source = sources.find(schedule.source)
        assert source is not None, "the file was checked"
        with records.read() as session:
            newest = newest_night(session, schedule.name)
        patience = _PUNCTUAL
        if newest is not None:
            patience = max(patience, dt.timedelta(days=schedule.catch_up_days))
        nights = []
        for moment in moments_due(schedule.begins, source.zone, now):
            night = moment.date()
            if now - moment > patience or (newest is not None and night <= newest):
                break
            nights.append(night)
        # The oldest first: who is killed in between goes on with the next.
        for night in reversed(nights):
            question = schedule.question(night).model_dump(mode="json")
            with records.begin() as session:
                made = begin_batch(
                    session, source.name, question, now, schedule=schedule.name, night=night
                )
                if made is not None and night == nights[0]:
                    ask_for_canaries(session, night_of(now, source.zone), now)
            if made is not None:
                begun.append(made)
    return begun


def nights_between(
    sources: Sources, since: dt.datetime, until: dt.datetime
) -> list[tuple[str, dt.date, dt.datetime]]:
    """Return which schedules begin which night, and when, in a stretch of time."""
    found = []
    for schedule in sources.schedule:
        source = sources.find(schedule.source)
        assert source is not None, "the file was checked"
        for moment in moments_due(schedule.begins, source.zone, until):
            if moment < since:
                break
            # At noon sharp begins the next night.
            if moment < until:
                found.append((schedule.name, moment.date(), moment))
    return found
