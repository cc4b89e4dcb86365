"""The list as a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from screening.domain.reason import Reason
from screening.domain.verdict import FLAGGED, URGENCY, Verdict
from screening.records.audit import Event
from screening.records.case_filter import CaseFilter, Cursor, count_by_verdict, state_of_list
from screening.records.cases import Case, list_cases
from screening.records.choices import body_parts, senders
from worklist.case_query import After, Wanted, address_of
from worklist.desk import AtDesk, Desk
from worklist.pages.page import render
from worklist.visitor import Looks, Visitor

router = APIRouter()

_LINES = 50


@router.get("/")
def show_list(request: Request, desk: AtDesk, visitor: Looks, wanted: Wanted) -> Response:
    """Show the first page of the list."""
    found, state = _read(desk, visitor, wanted, None)
    with desk.records.read() as session:
        choices = {"body_parts": body_parts(session), "senders": senders(session)}
        counts = count_by_verdict(session)
    return render(
        request,
        desk,
        visitor,
        "list.html",
        **_lines(found, wanted, state),
        **choices,
        counts=counts,
        verdicts=URGENCY,
        flagged=FLAGGED,
        everything=frozenset(Verdict),
        reasons=list(Reason),
        wanted=wanted,
    )


@router.get("/lines")
def show_lines(
    request: Request,
    desk: AtDesk,
    visitor: Looks,
    wanted: Wanted,
    after: After,
    seen: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Show further lines, or the first ones where the list has changed since it was `seen`."""
    if seen:
        with desk.records.read() as session:
            if state_of_list(session) == seen:
                return Response(status_code=204)
    found, state = _read(desk, visitor, wanted, after, quietly=bool(seen))
    with desk.records.read() as session:
        counts = count_by_verdict(session) if seen else None
    values = {**_lines(found, wanted, state), "counts": counts, "verdicts": URGENCY}
    return render(request, desk, visitor, "renewed_lines.html", **values, wanted=wanted)


def _read(
    desk: Desk, visitor: Visitor, wanted: CaseFilter, after: Cursor | None, quietly: bool = False
) -> tuple[list[Case], str]:
    """Return a page of cases and the state of the list; a renewed one starts at the top."""
    with desk.records.read() as session:
        state = state_of_list(session)
        found = list_cases(session, wanted, limit=_LINES, after=None if quietly else after)
    detail = (
        f"{len(found)} cases: {address_of(wanted) or 'flagged'}{' (renewed)' if quietly else ''}"
    )
    desk.note(visitor.actor, Event.LISTED, detail=detail)
    return found, state


def _lines(found: list[Case], wanted: CaseFilter, state: str) -> dict[str, object]:
    return {
        "cases": found,
        "next": found[-1].cursor if len(found) == _LINES else "",
        "query": address_of(wanted),
        "of_any_verdict": address_of(replace(wanted, verdicts=frozenset(Verdict))),
        "state": state,
    }
