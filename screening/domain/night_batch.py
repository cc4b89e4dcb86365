"""A batch: studies that are to be fetched and screened, and how far that is."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum


class BatchState(StrEnum):
    """Whether anybody works on a batch.

    ``finished`` means that each of its studies is settled and none of their images waits; what was
    not to be had is listed.
    """

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


FOLDER = "folder"
"""The source of a batch of files."""

ARCHIVE = "archive"
"""The source of a batch of what is here, for a model that has not scored it."""


class FetchState(StrEnum):
    """Where a study of a batch stands.

    ``held`` means that all its images had come before; ``fetched`` that they came with the batch;
    ``failed`` that some are still missing and nobody tries any more; ``none`` that it has no
    image of the kind that was asked for.
    """

    PLANNED = "planned"
    HELD = "held"
    FETCHED = "fetched"
    FAILED = "failed"
    NONE = "none"


SETTLED = frozenset(FetchState) - {FetchState.PLANNED}
"""Of what nobody works on any more."""

MOST_ATTEMPTS = 5
"""After so many that brought nothing new a study's missing images are listed."""

SHORTEST_PAUSE = dt.timedelta(seconds=10)
LONGEST_PAUSE = dt.timedelta(minutes=10)


def pause_after(attempts: int, shortest: dt.timedelta = SHORTEST_PAUSE) -> dt.timedelta:
    """Return how long to wait after so many attempts in vain: doubled each time, up to a limit."""
    doubled: int = 2 ** min(attempts - 1, 16)
    return min(shortest * doubled, max(shortest, LONGEST_PAUSE))
