"""Setting operating points from a form of the page of agreement."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from screening.records.operating_points import LONGEST_NOTE
from worklist.desk import AtDesk
from worklist.operating_points import put_into_force
from worklist.visitor import Administers

router = APIRouter()


@router.post("/operating-points")
def set_points(
    desk: AtDesk,
    visitor: Administers,
    doubtful_from: Annotated[float, Form(ge=0, le=1)],
    suspected_from: Annotated[float, Form(ge=0, le=1)],
    note: Annotated[str, Form(max_length=LONGEST_NOTE)],
    seen: Annotated[str, Form(max_length=64)],
) -> Response:
    """Set them, and show the page again."""
    put_into_force(desk, visitor, doubtful_from, suspected_from, note=note, seen=seen)
    return RedirectResponse("/statistics#operating-points", 303)
