"""In which of two lanes an image waits for the reading room."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum


class Lane(IntEnum):
    """``STAT`` images are read before any ``OVERNIGHT`` one, whichever came first."""

    STAT = 0
    OVERNIGHT = 1


@dataclass(frozen=True, slots=True)
class LaneRule:
    """What belongs to the backlog.

    Attributes
    ----------
    overnight_senders
        AE titles whose images are all backlog.
    overnight_days
        A study of so many days ago, or more, is backlog whoever sends it.
    """

    overnight_senders: Collection[str] = ()
    overnight_days: int = 2

    def lane(self, calling_ae_title: str, study_date: dt.date | None, today: dt.date) -> Lane:
        """Return the lane of an image; one without a study date is fresh."""
        if calling_ae_title in self.overnight_senders:
            return Lane.OVERNIGHT
        is_old = study_date is not None and (today - study_date).days >= self.overnight_days
        return Lane.OVERNIGHT if is_old else Lane.STAT
