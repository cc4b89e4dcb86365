"""Agreement and the alert budget as a page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from screening.records.audit import Event
from worklist.desk import AtDesk
from worklist.pages.page import render
from worklist.statistics import read_statistics
from worklist.visitor import Looks

router = APIRouter()


@router.get("/statistics")
def show_statistics(request: Request, desk: AtDesk, visitor: Looks) -> Response:
    """Show how far radiologists share the verdicts, and what another threshold would cost."""
    found = read_statistics(desk.records)
    desk.note(visitor.actor, Event.LISTED, detail="statistics")
    return render(request, desk, visitor, "statistics.html", statistics=found)
