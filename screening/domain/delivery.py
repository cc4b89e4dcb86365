"""How a delivery stands, and when it is tried again."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

SHORTEST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(minutes=30)


class DeliveryState(StrEnum):
    """Whether a study's results have arrived.

    ``delivered`` means that the destination has acknowledged each object; ``dead`` that nobody
    tries any more, and a person should look why.
    """

    DUE = "due"
    DELIVERED = "delivered"
    DEAD = "dead"


def pause_after(attempts: int, shortest: dt.timedelta = SHORTEST_PAUSE) -> dt.timedelta:
    """Return how long to wait after so many failed attempts: doubled each time, up to a limit."""
    doubled: int = 2 ** min(attempts - 1, 16)
    return min(shortest * doubled, max(shortest, LONGEST_PAUSE))
