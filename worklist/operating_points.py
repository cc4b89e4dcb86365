"""Setting operating points, as the page and REST both do it."""

from __future__ import annotations

from screening.domain.verdict import OperatingPoints
from screening.errors import PointsChangedError, PointsError
from screening.records import audit
from screening.records.operating_points import PointsRevision, set_points
from worklist.desk import Desk
from worklist.refusal import RefusalError
from worklist.visitor import Visitor


def put_into_force(
    desk: Desk,
    visitor: Visitor,
    high_sensitivity: float,
    high_specificity: float,
    *,
    note: str,
    seen: str | None,
) -> PointsRevision:
    """Set the points of the model at work, with an entry of the audit.

    Raises
    ------
    RefusalError
        400 if these can be no points, 409 if others were set meanwhile.
    """
    if high_sensitivity > high_specificity:
        raise RefusalError(400, "suspected cannot begin below doubtful: give it a higher score")
    now = desk.clock()
    try:
        points = OperatingPoints(high_sensitivity, high_specificity)
        with desk.records.begin() as session:
            revision = set_points(
                session, points, note=note, set_by=visitor.actor.name, now=now, seen=seen
            )
            detail = str(revision)
            audit.note(session, visitor.actor, audit.Event.POINTS_SET, now, detail=detail)
    except PointsChangedError as error:
        raise RefusalError(409, str(error)) from None
    except (PointsError, ValueError) as error:
        raise RefusalError(400, str(error)) from None
    return revision
