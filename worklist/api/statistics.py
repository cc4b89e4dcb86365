"""``/statistics``: agreement, and what another threshold would cost."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from screening.records.audit import Event
from worklist.desk import AtDesk
from worklist.objects import statistics_object
from worklist.statistics import FLAGS, PRECISIONS, read_statistics
from worklist.visitor import Looks

router = APIRouter(tags=["statistics"])

_MOST = 50


@router.get("/statistics")
def read_all(
    desk: AtDesk,
    visitor: Looks,
    flags: Annotated[
        list[Annotated[float, Query(ge=0, le=100)]] | None,
        Query(description="Flags per hundred studies, at most: a threshold for each."),
    ] = None,
    precisions: Annotated[
        list[Annotated[float, Query(ge=0, le=1)]] | None,
        Query(description="Precision among reviewed studies, at least: a threshold for each."),
    ] = None,
) -> dict[str, Any]:
    """Return agreement, precision and sensitivity of what was reviewed, with 95 % intervals.

    By body part, scanner and week; the discordant studies; and the lowest threshold on a study's
    score for each number of flags per hundred studies and for each precision, with what it costs on
    local, reviewed studies; `cost` is null where no threshold keeps to it.
    """
    found = read_statistics(
        desk.records,
        tuple(flags or FLAGS)[:_MOST],
        tuple(precisions or PRECISIONS)[:_MOST],
    )
    desk.note(visitor.actor, Event.LISTED, detail="statistics")
    return statistics_object(found)
