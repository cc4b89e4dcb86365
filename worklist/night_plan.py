"""What should begin in a night, as far as anybody said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from screening.records.night_batches import Batch

_RECENTLY = dt.timedelta(hours=36)
_UNKNOWN = (
    "whether all schedules have begun is not known here: set NIGHTREAD_SOURCES_FILE as for the "
    "process that fetches"
)

Beginning = tuple[str, dt.date, dt.datetime]
"""Which schedule begins which night, and when."""


def _nothing(since: dt.datetime, until: dt.datetime) -> Sequence[Beginning]:
    del since, until
    return ()


@dataclass(frozen=True, slots=True)
class NightPlan:
    """What was settled of nights before they came.

    Attributes
    ----------
    zone
        By which it is noon; ``None`` for this machine's.
    between
        Returns what begins in a stretch of time.
    is_known
        Whether anybody said what should.
    """

    zone: dt.tzinfo | None = None
    between: Callable[[dt.datetime, dt.datetime], Sequence[Beginning]] = _nothing
    is_known: bool = False

    def not_begun(
        self,
        since: dt.datetime,
        until: dt.datetime,
        batches: Sequence[Batch],
        now: dt.datetime,
    ) -> tuple[str, ...]:
        """Return what should begin in a stretch of time and has not, a sentence each.

        Parameters
        ----------
        batches
            All that there ever were.
        """
        found = _not_begun(self.between(since, until), batches, now)
        if not self.is_known and any(each.schedule for each in batches):
            return (*found, _UNKNOWN)
        return found


def _not_begun(
    scheduled: Sequence[Beginning], batches: Sequence[Batch], now: dt.datetime
) -> tuple[str, ...]:
    begun = {(each.schedule, each.night) for each in batches}
    first: dict[str | None, dt.date] = {}
    for each in batches:
        if each.night is not None:
            first[each.schedule] = min(each.night, first.get(each.schedule, each.night))
    return tuple(
        f"{name} did not begin at {moment:%Y-%m-%d %H:%M %Z}"
        if moment <= now
        else f"{name} is to begin at {moment:%Y-%m-%d %H:%M %Z}"
        for name, night, moment in scheduled
        if (name, night) not in begun and _was_planned(first.get(name), night, moment, now)
    )


def _was_planned(
    first: dt.date | None, night: dt.date, moment: dt.datetime, now: dt.datetime
) -> bool:
    """Say whether a schedule was there in a night, as far as anybody knows.

    Before its first night it was not; one that has never begun may have come to the file today.
    """
    return moment > now - _RECENTLY if first is None else night >= first
