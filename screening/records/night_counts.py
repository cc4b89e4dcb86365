"""The studies that came between two moments, in numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from screening.domain.delivery import DeliveryState
from screening.domain.instance import InstanceState
from screening.domain.verdict import FLAGGED, SCORED, Verdict
from screening.records.delivery_schema import DeliveryRow
from screening.records.result_schema import ExclusionRow, ScoreRow
from screening.records.schema import InstanceRow, SeriesRow, StudyRow


@dataclass(frozen=True, slots=True)
class GroupCount:
    """Studies of one scanner and body part.

    Attributes
    ----------
    scanner
        Station Name of a study's first series; empty where it has none.
    flagged, not_scored
        Of all ``studies``, how many have such a verdict.
    scored
        Those of which at least one image has a score.
    """

    scanner: str
    body_part: str
    studies: int
    scored: int
    flagged: int
    not_scored: int


@dataclass(frozen=True, slots=True)
class ImageCount:
    """Images of the studies that came, by where they stand now."""

    studies: int
    received: int
    scored: int
    not_scored: int
    reasons: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """Those with neither score nor reason."""
        return self.received - self.scored - self.not_scored


def count_groups(session: Session, since: dt.datetime, until: dt.datetime) -> list[GroupCount]:
    """Count the studies of which an image came last between two moments, by scanner and part."""
    first = (
        select(func.min(SeriesRow.id))
        .where(SeriesRow.study_row == StudyRow.id)
        .correlate(StudyRow)
        .scalar_subquery()
    )
    studies = (
        select(
            StudyRow.verdict,
            func.coalesce(SeriesRow.station_name, "").label("scanner"),
            func.coalesce(StudyRow.body_part, "").label("body_part"),
        )
        .outerjoin(SeriesRow, SeriesRow.id == first)
        .where(*_between(since, until))
        .subquery()
    )
    found = session.execute(
        select(
            studies.c.scanner,
            studies.c.body_part,
            func.count(),
            _count(studies.c.verdict.in_([each.value for each in SCORED])),
            _count(studies.c.verdict.in_([each.value for each in FLAGGED])),
            _count(studies.c.verdict == Verdict.NOT_SCORED.value),
        ).group_by(studies.c.scanner, studies.c.body_part)
    )
    return [GroupCount(*row) for row in found]


def count_images(session: Session, since: dt.datetime, until: dt.datetime) -> ImageCount:
    """Count the images of these studies."""
    studies, received, scored, not_scored = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(StudyRow.images_received), 0),
            func.coalesce(func.sum(StudyRow.images_scored), 0),
            func.coalesce(func.sum(StudyRow.images_not_scored), 0),
        ).where(*_between(since, until))
    ).one()
    reasons = session.execute(
        select(ExclusionRow.reason, func.count())
        .join(InstanceRow, InstanceRow.id == ExclusionRow.instance_row)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(*_between(since, until), InstanceRow.state == InstanceState.NOT_SCORED.value)
        .group_by(ExclusionRow.reason)
    )
    return ImageCount(studies, received, scored, not_scored, dict(reasons.all()))


def study_scores(session: Session, since: dt.datetime, until: dt.datetime) -> list[float]:
    """Return the score of each of these studies that has one."""
    found = session.scalars(
        select(StudyRow.top_probability).where(
            *_between(since, until), StudyRow.top_probability.is_not(None)
        )
    )
    return [score for score in found if score is not None]


def settled_moments(
    session: Session, since: dt.datetime, until: dt.datetime
) -> Iterator[dt.datetime]:
    """Yield when each image of these studies got its score or its reason."""
    for moment, row in ((ScoreRow.scored_at, ScoreRow), (ExclusionRow.excluded_at, ExclusionRow)):
        yield from session.scalars(
            select(moment)
            .join(InstanceRow, InstanceRow.id == row.instance_row)
            .join(StudyRow, StudyRow.id == InstanceRow.study_row)
            .where(*_between(since, until), moment >= since, moment < until)
        )


def count_given_up(session: Session, since: dt.datetime, until: dt.datetime) -> int:
    """Count the deliveries that were given up between two moments, and are given up still."""
    query = (
        select(func.count())
        .select_from(DeliveryRow)
        .where(
            DeliveryRow.state == DeliveryState.DEAD.value,
            DeliveryRow.settled_at >= since,
            DeliveryRow.settled_at < until,
        )
    )
    return session.scalar(query) or 0


def _between(since: dt.datetime, until: dt.datetime) -> tuple[ColumnElement[bool], ...]:
    return StudyRow.last_received_at >= since, StudyRow.last_received_at < until


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
