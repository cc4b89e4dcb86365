"""Studies counted by the week in which they were made, and by scanner, body part or age."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select
from sqlalchemy.orm import Session

from screening.domain.agreement import ReviewedCase, agreement
from screening.domain.drift import AGE_BANDS, OLDEST, Dimension, Group
from screening.domain.reason import Reason
from screening.domain.verdict import FLAGGED, SCORED, Verdict
from screening.domain.week_count import WeekCount
from screening.records.agreement import reviewed_cases, score_step
from screening.records.list_schema import StudyReasonRow
from screening.records.schema import SeriesRow, StudyRow

_UNNAMED = {
    Dimension.SCANNER: "scanner not named",
    Dimension.BODY_PART: "no body part",
    Dimension.AGE: "no age",
    Dimension.WEEK: "all studies",
}

_Cell = tuple[tuple[str, ...], int]
"""What the studies have in common, and the number of their week."""


def count_weeks(
    session: Session, dimension: Dimension, mondays: Sequence[dt.date]
) -> tuple[Group, ...]:
    """Count the studies of some weeks, in groups.

    A study belongs to the week of its Study Date, and to the scanner that its first series names by
    Manufacturer, Manufacturer's Model Name and Station Name.

    Parameters
    ----------
    mondays
        Of the weeks, one after the other.
    """
    counts: dict[_Cell, dict[str, Any]] = defaultdict(_nothing)
    _count_studies(session, dimension, mondays, counts)
    _count_reasons(session, dimension, mondays, counts)
    _count_reviews(session, dimension, mondays, counts)
    keys = sorted({key for key, _ in counts})
    return tuple(
        Group(
            _label(dimension, key),
            key[0] if dimension is Dimension.BODY_PART else "",
            tuple(
                WeekCount(monday, **counts.get((key, number), {}))
                for number, monday in enumerate(mondays)
            ),
        )
        for key in keys
    )


def count_undated(session: Session) -> int:
    """Count the studies without a Study Date, which belong to no week."""
    query = select(func.count()).where(StudyRow.study_date.is_(None), StudyRow.images_received > 0)
    return session.scalar(query) or 0


def _nothing() -> dict[str, Any]:
    return {
        **dict.fromkeys(("studies", "images", "read", "scored", "flagged", "not_scored"), 0),
        "reasons": {},
        "scores": Counter(),
    }


def _count_studies(
    session: Session,
    dimension: Dimension,
    mondays: Sequence[dt.date],
    counts: dict[_Cell, dict[str, Any]],
) -> None:
    """Add up what a study says of itself: in one pass, by verdict and score."""
    by = [*_keys(dimension), _week(mondays), StudyRow.verdict, score_step()]
    columns = [each.label(f"by{number}") for number, each in enumerate(by)]
    query = _made(
        select(*columns, func.count(), func.sum(StudyRow.images_received)), dimension, mondays
    ).group_by(*columns)
    for *key, week, verdict, step, studies, images in session.execute(query):
        cell = counts[tuple(key), week]
        cell["studies"] += studies
        cell["images"] += images
        cell["read"] += studies if verdict != Verdict.WAITING.value else 0
        cell["flagged"] += studies if verdict in FLAGGED else 0
        if verdict in SCORED and step is not None:
            cell["scored"] += studies
            cell["scores"][max(0, int(step))] += studies


def _count_reasons(
    session: Session,
    dimension: Dimension,
    mondays: Sequence[dt.date],
    counts: dict[_Cell, dict[str, Any]],
) -> None:
    """Add the studies of which an image was not scored: each once, and once for each reason."""
    columns = [
        each.label(f"by{number}") for number, each in enumerate([*_keys(dimension), _week(mondays)])
    ]
    counted = _made(
        select(*columns, StudyReasonRow.reason, func.count()), dimension, mondays
    ).join(StudyReasonRow, StudyReasonRow.study_row == StudyRow.id)
    is_one = (
        StudyReasonRow.reason != Reason.DERIVED_BY_US.value,
        StudyRow.verdict != Verdict.WAITING.value,
    )
    by_reason = counted.where(*is_one).group_by(*columns, StudyReasonRow.reason)
    for *key, week, reason, studies in session.execute(by_reason):
        counts[tuple(key), week]["reasons"][reason] = studies
    with_one = select(StudyReasonRow.study_row).where(
        StudyReasonRow.study_row == StudyRow.id, StudyReasonRow.reason != Reason.DERIVED_BY_US.value
    )
    once = (
        _made(select(*columns, func.count()), dimension, mondays)
        .where(
            StudyRow.images_not_scored > 0,
            StudyRow.verdict != Verdict.WAITING.value,
            with_one.correlate(StudyRow).exists(),
        )
        .group_by(*columns)
    )
    for *key, week, studies in session.execute(once):
        counts[tuple(key), week]["not_scored"] = studies


def _count_reviews(
    session: Session,
    dimension: Dimension,
    mondays: Sequence[dt.date],
    counts: dict[_Cell, dict[str, Any]],
) -> None:
    """Add what the newest standing review of each study says."""
    first, last = mondays[0], mondays[-1] + dt.timedelta(days=6)
    reviewed = {
        each.study_instance_uid: each for each in reviewed_cases(session, made=(first, last))
    }
    if not reviewed:
        return
    query = _made(
        select(*_keys(dimension), _week(mondays), StudyRow.study_instance_uid), dimension, mondays
    ).where(StudyRow.review.is_not(None))
    cells: dict[_Cell, list[ReviewedCase]] = defaultdict(list)
    for *key, week, uid in session.execute(query):
        if uid in reviewed:
            cells[tuple(key), week].append(reviewed[uid])
    for cell, cases in cells.items():
        found = agreement(cases)
        counts[cell] |= {"agreed": found.agreed, "precision": found.precision}


def _made(
    query: Select[Any], dimension: Dimension, mondays: Sequence[dt.date]
) -> Select[Any]:
    """Narrow a query to the studies that were made in these weeks and have an image here."""
    query = query.select_from(StudyRow)
    if dimension is Dimension.SCANNER:
        first = (
            select(func.min(SeriesRow.id))
            .where(SeriesRow.study_row == StudyRow.id)
            .correlate(StudyRow)
            .scalar_subquery()
        )
        query = query.outerjoin(SeriesRow, SeriesRow.id == first)
    return query.where(
        StudyRow.study_date.between(mondays[0], mondays[-1] + dt.timedelta(days=6)),
        StudyRow.images_received > 0,
    )


def _keys(dimension: Dimension) -> list[ColumnElement[Any]]:
    if dimension is Dimension.SCANNER:
        named = (SeriesRow.manufacturer, SeriesRow.manufacturer_model, SeriesRow.station_name)
        return [func.coalesce(each, "") for each in named]
    if dimension is Dimension.BODY_PART:
        return [func.coalesce(StudyRow.body_part, "")]
    if dimension is Dimension.AGE:
        bands = [(StudyRow.age_years < below, name) for below, name in AGE_BANDS]
        return [case((StudyRow.age_years.is_(None), ""), *bands, else_=OLDEST)]
    return [literal("")]


def _week(mondays: Sequence[dt.date]) -> ColumnElement[int]:
    """Return the number of a study's week.

    The databases do not count weeks alike, so its date is compared with Mondays: halving, since
    each study is.
    """

    def halved(first: int, last: int) -> ColumnElement[int]:
        if first == last:
            return literal(first)
        middle = (first + last + 1) // 2
        sooner = StudyRow.study_date < mondays[middle]
        return case((sooner, halved(first, middle - 1)), else_=halved(middle, last))

    return halved(0, len(mondays) - 1)


def _label(dimension: Dimension, key: tuple[str, ...]) -> str:
    """Return the name of a group: of a scanner its maker, model and station."""
    if dimension is Dimension.AGE and key[0]:
        return f"{key[0]} years" if key[0] != OLDEST else key[0]
    words = [each.strip() for each in key if each.strip()]
    return " ".join(words) or _UNNAMED[dimension]
