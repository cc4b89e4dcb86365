"""``/ledger``: whether everything that was received has its score or its reason."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from screening.records.ledger import read_ledger
from worklist.desk import AtDesk
from worklist.objects import ledger_object
from worklist.visitor import Looks

router = APIRouter(tags=["ledger"])


@router.get("/ledger")
def read_counts(desk: AtDesk, _: Looks) -> dict[str, Any]:
    """Return the ledger's counts, and whether they add up and the night is complete."""
    with desk.records.read() as session:
        return ledger_object(read_ledger(session, desk.clock()))
