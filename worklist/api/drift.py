"""``/drift``: groups of studies week by week, with control limits."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from screening.domain.dimension import Dimension
from screening.records.audit import Event
from worklist.desk import AtDesk
from worklist.drift import WEEKS
from worklist.drift_object import drift_object
from worklist.pages.drift import By, Weeks, read_board
from worklist.visitor import Looks

router = APIRouter(tags=["statistics"])


@router.get("/drift")
def read_all(
    desk: AtDesk, visitor: Looks, by: By = Dimension.SCANNER, weeks: Weeks = WEEKS
) -> dict[str, Any]:
    """Return scores, flags, what was not scored, agreement and precision, group by group and week.

    A study belongs to the week of its Study Date. A group's first weeks are its reference; the
    later ones are held against limits that chance alone breaks `false_alarms_expected_at_most`
    times on the whole board. `alarms` says in words what is outside.
    """
    found = read_board(desk, by, weeks)
    desk.note(visitor.actor, Event.LISTED, detail=f"drift by {by.value}, {weeks} weeks")
    return drift_object(found)
