"""``/operating-points``: from which score on a study is flagged."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from screening.records.audit import Event
from screening.records.operating_points import LONGEST_NOTE, ModelPoints, read_points
from worklist.api.problem import Problem
from worklist.desk import AtDesk
from worklist.objects import points_object
from worklist.operating_points import put_into_force
from worklist.refusal import RefusalError
from worklist.visitor import Administers, Looks

router = APIRouter(tags=["operating points"])


class NewPoints(BaseModel):
    """Operating points for the model at work."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "high_sensitivity": 0.31,
                    "high_specificity": 0.72,
                    "note": "at most 12 flags per 100 studies, as agreed on 1 March",
                }
            ]
        },
    )

    high_sensitivity: float = Field(ge=0, le=1, description="Doubtful from this score on.")
    high_specificity: float = Field(ge=0, le=1, description="Suspected from this score on.")
    note: str = Field(min_length=1, max_length=LONGEST_NOTE, description="Why.")
    seen: str | None = Field(
        default=None,
        max_length=64,
        description="That of the points that were looked at: others are not replaced unseen.",
    )


@router.get("/operating-points", responses={200: {"model": ModelPoints}})
def read_all(desk: AtDesk, visitor: Looks) -> Response:
    """Return the model behind the newest score and its operating points, the newest first.

    Revision 0 is the model's own. What was scored before a revision keeps its verdict.
    """
    with desk.records.read() as session:
        found = read_points(session)
    if found is None:
        raise RefusalError(404, "nothing is scored yet")
    desk.note(visitor.actor, Event.LISTED, detail="operating points")
    return JSONResponse(points_object(found))


@router.post(
    "/operating-points",
    status_code=201,
    responses={
        201: {"model": ModelPoints},
        409: {"model": Problem, "description": "Others were set since those were seen."},
    },
)
def write_new(desk: AtDesk, visitor: Administers, given: NewPoints) -> Response:
    """Set operating points: what is scored from the next batch on is judged by them."""
    put_into_force(
        desk,
        visitor,
        given.high_sensitivity,
        given.high_specificity,
        note=given.note,
        seen=given.seen,
    )
    with desk.records.read() as session:
        found = read_points(session)
    assert found is not None, "points were set for a model that has scored"
    return JSONResponse(points_object(found), 201)
