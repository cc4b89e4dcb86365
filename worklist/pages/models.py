"""Champion and shadow as a page, with the forms that make one of the other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from screening.domain.side_by_side import ORDER
from screening.records.audit import Event
from screening.records.promotion import LONGEST_WHY
from worklist.desk import AtDesk
from worklist.pages.page import render
from worklist.side_by_side import MOST_IMAGES, promote_model, read_models, take_back
from worklist.visitor import Administers, Looks

router = APIRouter(prefix="/models")

_Why = Annotated[str, Form(max_length=LONGEST_WHY)]
_Seen = Annotated[int, Form(ge=0, le=2**31 - 1)]
_Name = Annotated[str, Form(max_length=200)]


@router.get("")
def show_models(request: Request, desk: AtDesk, visitor: Looks) -> Response:
    """Show who is champion, who is shadow, and what both make of the same images."""
    found = read_models(desk.records)
    desk.note(visitor.actor, Event.LISTED, detail="models")
    return render(
        request,
        desk,
        visitor,
        "models.html",
        models=found,
        order=ORDER,
        most=MOST_IMAGES,
        longest=LONGEST_WHY,
    )


@router.post("/promotion")
def promote(
    desk: AtDesk,
    visitor: Administers,
    model: _Name,
    version: _Name,
    digest: _Name,
    why: _Why,
    seen: _Seen,
    anyway: Annotated[bool, Form()] = False,
) -> Response:
    """Make the shadow champion, and show the page again."""
    promote_model(desk, visitor, (model, version, digest), why=why, seen=seen, anyway=anyway)
    return RedirectResponse("/models", 303)


@router.post("/rollback")
def roll_back(desk: AtDesk, visitor: Administers, why: _Why, seen: _Seen) -> Response:
    """Make the champion of before champion again, and show the page again."""
    take_back(desk, visitor, why=why, seen=seen)
    return RedirectResponse("/models", 303)
