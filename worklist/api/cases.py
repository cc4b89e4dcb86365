"""``/cases``: the list, a page at a time."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from screening.domain.verdict import Verdict
from screening.records.audit import Event
from screening.records.case_filter import count_by_verdict
from screening.records.cases import Case, list_cases
from worklist.case_query import After, Wanted, address_of
from worklist.desk import AtDesk
from worklist.objects import case_object
from worklist.spreadsheet import spreadsheet
from worklist.visitor import Looks

router = APIRouter(tags=["list"])

MOST_EXPORTED = 10_000
"""Lines of one export."""


class CasePage(BaseModel):
    """One page of the list, most urgent first."""

    cases: list[Case]
    next: str | None = Field(
        description="`after` of the next page; null at the end.", examples=["401.1234"]
    )


class Counts(BaseModel):
    """All studies by their verdict."""

    suspected: int = Field(examples=[12])
    doubtful: int = Field(examples=[31])
    clear: int = Field(examples=[420])
    not_scored: int = Field(examples=[9])
    waiting: int = Field(examples=[0])


@router.get("/cases", responses={200: {"model": CasePage}})
def read_cases(
    desk: AtDesk,
    visitor: Looks,
    wanted: Wanted,
    after: After,
    limit: Annotated[int, Query(ge=1, le=500, description="Cases of one page.")] = 50,
) -> Response:
    """Return studies, most urgent first: verdict, then stat before overnight, then score."""
    with desk.records.read() as session:
        found = list_cases(session, wanted, limit=limit, after=after)
    detail = f"{len(found)} cases: {address_of(wanted) or 'flagged'}"
    desk.note(visitor.actor, Event.LISTED, detail=detail)
    end = found[-1].cursor if len(found) == limit else None
    return JSONResponse({"cases": [case_object(case) for case in found], "next": end})


@router.get(
    "/cases.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "One line for each case."}},
)
def export_cases(desk: AtDesk, visitor: Looks, wanted: Wanted) -> Response:
    """Return what a filter finds as a table for a spreadsheet, at most 10,000 lines."""
    with desk.records.read() as session:
        found = list_cases(session, wanted, limit=MOST_EXPORTED)
    detail = f"{len(found)} cases: {address_of(wanted) or 'flagged'}"
    desk.note(visitor.actor, Event.EXPORTED, detail=detail)
    name = f"nightread-{desk.clock().astimezone():%Y-%m-%d-%H%M}.csv"
    return Response(
        spreadsheet(found),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/counts", responses={200: {"model": Counts}})
def read_counts(desk: AtDesk, _: Looks) -> dict[str, Any]:
    """Count all studies by their verdict."""
    with desk.records.read() as session:
        counted = count_by_verdict(session)
    return {verdict.value: counted[verdict] for verdict in Verdict}
