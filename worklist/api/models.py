"""``/models``: champion and shadow side by side, promotion and its way back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from screening.records.audit import Event
from screening.records.promotion import LONGEST_WHY
from worklist.api.problem import Problem
from worklist.desk import AtDesk, Desk
from worklist.objects import models_object
from worklist.side_by_side import promote_model, read_models, take_back
from worklist.visitor import Administers, Looks

router = APIRouter(prefix="/models", tags=["models"])

_CHANGED: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "Somebody has appointed a model since that was seen."}
}
_SEEN = Field(
    default=None,
    ge=0,
    description="Number of the newest act that was looked at: others are not overruled unseen.",
)


class Promotion(BaseModel):
    """Which model is to be champion."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"model": "densenet121", "version": "1.0.0", "why": "fewer flags", "seen": 0}
            ]
        },
    )

    model: str = Field(min_length=1, max_length=200, description="Its name.")
    version: str = Field(min_length=1, max_length=200)
    digest: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="SHA-256 of its weights."
    )
    why: str = Field(min_length=1, max_length=LONGEST_WHY, description="It stays on record.")
    seen: int | None = _SEEN
    anyway: bool = Field(
        default=False, description="Even where it has scored too few images here to be judged."
    )


class Rollback(BaseModel):
    """Why the champion of before is to come back."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=LONGEST_WHY, description="It stays on record.")
    seen: int | None = _SEEN


@router.get("")
def read_all(desk: AtDesk, visitor: Looks) -> dict[str, Any]:
    """Return who is champion and shadow, all acts, and how both compare on the newest images.

    Each is judged by its own operating points. Reviewers saw the champion's flags alone: the
    precision of what the shadow flags is that of what both flag, nearly.
    """
    found = read_models(desk.records)
    desk.note(visitor.actor, Event.LISTED, detail="models")
    return models_object(found)


@router.post("/promotions", status_code=201, responses={200: {}, **_CHANGED})
def promote(desk: AtDesk, visitor: Administers, given: Promotion) -> Response:
    """Make a model champion; where it was the shadow, the two swap. Old scores stay as they are.

    The answer is 200, and nothing is recorded, where it is champion already.
    """
    changed = promote_model(
        desk,
        visitor,
        (given.model, given.version, given.digest),
        why=given.why,
        seen=given.seen,
        anyway=given.anyway,
    )
    return _answer(desk, 201 if changed else 200)


@router.post("/rollbacks", status_code=201, responses=_CHANGED)
def roll_back(desk: AtDesk, visitor: Administers, given: Rollback) -> Response:
    """Make the champion of before the last promotion champion again."""
    take_back(desk, visitor, why=given.why, seen=given.seen)
    return _answer(desk, 201)


def _answer(desk: Desk, status: int) -> Response:
    return JSONResponse(models_object(read_models(desk.records)), status)
