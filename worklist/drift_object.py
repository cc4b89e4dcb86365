"""The board of drift as an object of JSON's own types."""

from __future__ import annotations

from typing import Any

from screening.domain.drift import GroupCourse, Point
from screening.domain.week_count import WeekCount
from worklist.drift import Drift
from worklist.drift_words import is_share

_COUNTS = ("studies", "images", "read", "scored", "flagged", "not_scored")


def drift_object(drift: Drift) -> dict[str, Any]:
    """Return the board; weeks by their Mondays, shares and scores in [0, 1]."""
    board = drift.board
    return {
        "by": drift.by.value,
        "first_week": drift.mondays[0].isoformat(),
        "last_week": drift.mondays[-1].isoformat(),
        "undated_studies": drift.undated,
        "groups_left_out": len(drift.small),
        "studies_of_groups_left_out": sum(group.studies for group in drift.small),
        "judged": board.judged,
        "outside": board.outside,
        "false_alarm_rate": board.chance,
        "false_alarms_expected_at_most": board.expected,
        "alarms": [
            {
                "group": each.group.label,
                "figure": each.course.figure.value,
                "week": each.newest.week.begins.isoformat(),
                "earlier_weeks": each.earlier,
                "sentence": each.sentence,
                "list": each.address,
            }
            for each in drift.alarms
        ],
        "groups": [_group(each) for each in board.groups],
    }


def _group(found: GroupCourse) -> dict[str, Any]:
    weeks = []
    for number, week in enumerate(found.group.weeks):
        figures = {
            course.figure.value: _point(course.points[number], is_share(course.figure))
            for course in found.courses
        }
        weeks.append(_week(week) | {"figures": figures})
    return {"group": found.group.label, "studies": found.group.studies, "weeks": weeks}


def _week(week: WeekCount) -> dict[str, Any]:
    counts = {name: getattr(week, name) for name in _COUNTS}
    agreed, precision = week.agreed, week.precision
    return {
        "week": week.begins.isoformat(),
        **counts,
        "reasons": dict(week.reasons),
        "quartiles": list(week.quartiles) if week.quartiles else None,
        "agreed": {"count": agreed.count, "of": agreed.of, "interval": agreed.interval},
        "precision": {
            "count": precision.count,
            "of": precision.of,
            "interval": precision.interval,
        },
    }


def _point(point: Point, has_centre: bool) -> dict[str, Any]:
    control = point.control
    limits = {"low": control.low, "high": control.high} if point.is_judged else {}
    centre = {"centre": control.centre} if point.is_judged and has_centre else {}
    state = "judged" if point.is_judged else "reference" if point.is_reference else "not judged"
    return {
        "value": control.value,
        "of": control.of,
        "state": state,
        "outside": point.is_outside,
        **centre,
        **limits,
    }
