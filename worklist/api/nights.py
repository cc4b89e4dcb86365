"""``/nights`` and ``/batches``: how far the night is, and what it brought."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from screening.records.audit import Event
from screening.records.night_batches import find_batch, list_batches
from screening.records.night_studies import exceptions_of
from screening.records.night_tally import tally_batch
from worklist.desk import AtDesk
from worklist.night_report import read_night
from worklist.objects import batch_object
from worklist.pages.nights import Night, require_known
from worklist.refusal import RefusalError
from worklist.report_page import report_object
from worklist.visitor import Looks

router = APIRouter(tags=["nights"])


@router.get("/nights/{night}")
def read_report(desk: AtDesk, visitor: Looks, night: Night) -> dict[str, Any]:
    """Return a night's report: whether it is complete, and if not, why.

    A night lasts from noon to noon, and is named by the day on which it began.
    """
    found = read_night(desk.records, require_known(night, desk), desk.clock(), desk.nights)
    desk.note(visitor.actor, Event.LISTED, detail=f"the night of {night}")
    return report_object(found)


@router.get("/batches")
def read_batches(
    desk: AtDesk,
    visitor: Looks,
    limit: Annotated[int, Query(ge=1, le=500, description="The newest so many.")] = 20,
) -> list[dict[str, Any]]:
    """Return batches with their counts, the newest first."""
    desk.note(visitor.actor, Event.LISTED, detail="batches")
    with desk.records.read() as session:
        return [
            batch_object(each, tally_batch(session, each.row))
            for each in list_batches(session, limit=limit)
        ]


@router.get("/batches/{number}")
def read_batch(
    desk: AtDesk, visitor: Looks, number: Annotated[int, Path(ge=1, lt=2**31)]
) -> dict[str, Any]:
    """Return a batch with its counts and every exception."""
    with desk.records.read() as session:
        found = find_batch(session, number)
        if found is None:
            raise RefusalError(404, "there is no such batch")
        told = batch_object(found, tally_batch(session, number), exceptions_of(session, number))
    desk.note(visitor.actor, Event.LISTED, detail=f"batch {number}")
    return told
