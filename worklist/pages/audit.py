"""The audit as a page, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from screening.records import audit
from worklist.desk import AtDesk
from worklist.pages.page import render
from worklist.visitor import Administers

router = APIRouter()

_LINES = 200


@router.get("/audit")
def show_audit(
    request: Request,
    desk: AtDesk,
    visitor: Administers,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Show who did what, the newest first."""
    with desk.records.begin() as session:
        audit.note(session, visitor.actor, audit.Event.AUDIT_READ, desk.clock())
        found = audit.read_audit(session, limit=_LINES, before=before)
    older = found[-1].number if len(found) == _LINES else None
    return render(request, desk, visitor, "audit.html", entries=found, older=older)
