"""Agreement, the alert budget and the operating points as a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from screening.records.audit import Event
from screening.records.operating_points import read_points
from worklist.desk import AtDesk
from worklist.pages.page import render
from worklist.statistics import read_statistics
from worklist.visitor import Looks

router = APIRouter()

_Threshold = Annotated[float | None, Query(ge=0, le=1)]


@router.get("/statistics")
def show_statistics(
    request: Request,
    desk: AtDesk,
    visitor: Looks,
    doubtful_from: _Threshold = None,
    suspected_from: _Threshold = None,
) -> Response:
    """Show how far radiologists share the verdicts, and what other thresholds would cost."""
    found = read_statistics(desk.records)
    with desk.records.read() as session:
        points = read_points(session)
    desk.note(visitor.actor, Event.LISTED, detail="statistics")
    return render(
        request,
        desk,
        visitor,
        "statistics.html",
        statistics=found,
        points=points,
        doubtful_from=doubtful_from,
        suspected_from=suspected_from,
    )
