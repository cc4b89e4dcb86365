"""Studies counted by the week in which they were made, and by scanner, body part or age."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session, aliased

from screening.domain.agreement import ReviewedCase, agreement
from screening.domain.dimension import AGE_BANDS, OLDEST, Dimension
from screening.domain.drift import Group
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
    return {"not_scored": 0, "reasons": {}}


def _count_studies(
    session: Session,
    dimension: Dimension,
    mondays: Sequence[dt.date],
    counts: dict[_Cell, dict[str, Any]],
) -> None:
    """Add what studies say of themselves; their scores come as one text for each group and week.

    A row for each score would be nearly a row for each study.
    """
    by = _by(dimension, mondays)
    is_scored = StudyRow.verdict.in_([each.value for each in SCORED])
    is_flagged = StudyRow.verdict.in_([each.value for each in FLAGGED])
    step = cast(cast(case((is_scored, score_step())), Integer), String)
    query = _made(
        select(
            *by,
            func.count(),
            func.sum(StudyRow.images_received),
            _count(StudyRow.verdict != Verdict.WAITING.value),
            _count(is_flagged),
            func.aggregate_strings(step, " "),
        ),
        dimension,
        mondays,
    ).group_by(*by)
    for *key, week, studies, images, read, flagged, steps in session.execute(query):
        scores = Counter(max(0, int(step)) for step in (steps or "").split())
        counts[tuple(key), week] |= {
            "studies": studies,
            "images": images,
            "read": read,
            "scored": scores.total(),
            "flagged": flagged,
            "scores": scores,
        }


def _count_reasons(
    session: Session,
    dimension: Dimension,
    mondays: Sequence[dt.date],
    counts: dict[_Cell, dict[str, Any]],
) -> None:
    """Add the studies of which an image was not scored, for each reason; in all each is one."""
    by = _by(dimension, mondays)
    other = aliased(StudyReasonRow)
    first = (
        select(func.min(other.reason))
        .where(other.study_row == StudyRow.id, other.reason != Reason.DERIVED_BY_US.value)
        .correlate(StudyRow)
        .scalar_subquery()
    )
    query = _made(
        select(*by, StudyReasonRow.reason, func.count(), _count(StudyReasonRow.reason == first)),
        dimension,
        mondays,
    ).join(StudyReasonRow, StudyReasonRow.study_row == StudyRow.id)
    query = query.where(
        # Said by the reason too; with this no other study's series is looked up.
        StudyRow.images_not_scored > 0,
        StudyReasonRow.reason != Reason.DERIVED_BY_US.value,
        StudyRow.verdict != Verdict.WAITING.value,
    ).group_by(*by, StudyReasonRow.reason)
    for *key, week, reason, studies, once in session.execute(query):
        cell = counts[tuple(key), week]
        cell["reasons"][reason] = studies
        cell["not_scored"] += once


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
        select(*_by(dimension, mondays), StudyRow.study_instance_uid), dimension, mondays
    ).where(StudyRow.review.is_not(None))
    cells: dict[_Cell, list[ReviewedCase]] = defaultdict(list)
    for *key, week, uid in session.execute(query):
        if uid in reviewed:
            cells[tuple(key), week].append(reviewed[uid])
    for cell, cases in cells.items():
        found = agreement(cases)
        counts[cell] |= {"agreed": found.agreed, "precision": found.precision}


def _made(query: Select[Any], dimension: Dimension, mondays: Sequence[dt.date]) -> Select[Any]:
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


def _by(dimension: Dimension, mondays: Sequence[dt.date]) -> list[ColumnElement[Any]]:
    """Return a group's columns and the week's, named, so that a query can be grouped by them."""
    columns = [*_keys(dimension), _week(mondays)]
    return [each.label(f"by{number}") for number, each in enumerate(columns)]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


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
