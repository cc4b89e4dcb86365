"""Drift as a page: groups of studies week by week, with limits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from screening.domain.dimension import Dimension
from screening.domain.drift import FEWEST_WEEKS
from screening.domain.figure import Figure
from screening.records.audit import Event
from worklist.desk import AtDesk, Desk
from worklist.drift import MOST_WEEKS, WEEKS, Drift, read_drift
from worklist.drift_chart import HEIGHT, WIDTH, picture, spread
from worklist.drift_words import NOTHING, TITLES, amount, expected, reasons
from worklist.pages.page import render
from worklist.refusal import RefusalError
from worklist.visitor import Looks

router = APIRouter()

By = Annotated[Dimension, Query(description="What makes a group.")]
Weeks = Annotated[int, Query(ge=1, le=MOST_WEEKS, description="With the one that goes on.")]


@router.get("/drift")
def show_drift(
    request: Request,
    desk: AtDesk,
    visitor: Looks,
    by: By = Dimension.SCANNER,
    weeks: Weeks = WEEKS,
    group: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """Show whether a scanner, a body part or an age is read otherwise than before."""
    found = read_board(desk, by, weeks)
    shown = found.chosen(group)
    if group and not shown:
        is_small = any(each.label == group for each in found.small)
        why = "this group is too small to be judged: there are so many larger ones"
        raise RefusalError(404, why if is_small else "there is no such group in these weeks")
    desk.note(visitor.actor, Event.LISTED, detail=f"drift by {by.value}, {weeks} weeks")
    charts = [
        (
            each,
            [(course, picture(each.group, course)) for course in each.courses],
            spread(each.of(Figure.DISTANCE)),
        )
        for each in shown
    ]
    return render(
        request,
        desk,
        visitor,
        "drift.html",
        drift=found,
        group=group,
        charts=charts,
        choices=_CHOICES,
        spans=sorted({12, 26, 52, MOST_WEEKS, weeks}),
        weeks=weeks,
        needed=2 * FEWEST_WEEKS,
        size=(WIDTH, HEIGHT),
        titles=TITLES,
        nothing=NOTHING,
        amount=amount,
        expected=expected,
        reasons=reasons,
    )


_CHOICES = {
    Dimension.SCANNER: "scanner",
    Dimension.BODY_PART: "body part",
    Dimension.AGE: "age",
    Dimension.WEEK: "all studies",
}


def read_board(desk: Desk, by: Dimension, weeks: int) -> Drift:
    """Read the board as of today, by this machine's clock."""
    return read_drift(desk.records, by, weeks, desk.clock().astimezone().date())
