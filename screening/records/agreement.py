"""What was reviewed, for the statistics; and how the scores of all studies are spread."""

from __future__ import annotations

import datetime as dt
from itertools import groupby

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from screening.domain.agreement import ReviewedCase
from screening.domain.alert_budget import STEPS
from screening.domain.review import Finding, Opinion
from screening.domain.verdict import Verdict
from screening.records.desk_schema import ReviewRow
from screening.records.reviews import standing
from screening.records.schema import SeriesRow, StudyRow

_HALF = 0.499999


def reviewed_cases(
    session: Session,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    *,
    made: tuple[dt.date, dt.date] | None = None,
) -> list[ReviewedCase]:
    """Return each study that has a standing review, with its newest one, by study.

    Parameters
    ----------
    since, until
        Only those of which that one was given between these moments.
    made
        Only studies that were made between these days, both inclusive.
    """
    of_studies = (
        select(ReviewRow)
        .where(ReviewRow.instance_row.is_(None))
        .order_by(ReviewRow.study_row, ReviewRow.id)
    )
    wanted = [StudyRow.review.is_not(None)]
    if since is not None and until is not None:
        during = select(ReviewRow.study_row).where(ReviewRow.at >= since, ReviewRow.at < until)
        of_studies = of_studies.where(ReviewRow.study_row.in_(during))
        wanted.append(StudyRow.id.in_(during))
    if made is not None:
        wanted.append(StudyRow.study_date.between(*made))
        of_studies = of_studies.join(StudyRow, StudyRow.id == ReviewRow.study_row).where(*wanted)
    newest = {}
    for study, rows in groupby(session.scalars(of_studies), lambda row: row.study_row):
        kept = standing(list(rows))
        if kept and (since is None or until is None or since <= kept[-1].at < until):
            newest[study] = kept[-1]
    first = (
        select(func.min(SeriesRow.id))
        .where(SeriesRow.study_row == StudyRow.id)
        .correlate(StudyRow)
        .scalar_subquery()
    )
    studies = session.execute(
        select(*_COLUMNS)
        .outerjoin(SeriesRow, SeriesRow.id == first)
        .where(*wanted)
        .order_by(StudyRow.id)
    )
    return [
        _case(newest[row], uid, score, part, scanner)
        for row, uid, score, part, scanner in studies
        if row in newest
    ]


# No objects of the table: for thousands of studies these cost more than the database.
_COLUMNS = (
    StudyRow.id,
    StudyRow.study_instance_uid,
    StudyRow.top_probability,
    StudyRow.body_part,
    SeriesRow.manufacturer_model,
)


def _case(
    review: ReviewRow, uid: str, score: float | None, body_part: str | None, scanner: str | None
) -> ReviewedCase:
    return ReviewedCase(
        study_instance_uid=uid,
        verdict=Verdict(review.verdict),
        score=score,
        opinion=Opinion(review.opinion or ""),
        finding=Finding(review.finding) if review.finding else None,
        body_part=body_part or "",
        scanner=scanner or "",
        day=review.at.date(),
    )


def spread_of_scores(session: Session) -> dict[int, int]:
    """Return how many studies have which score, in thousandths."""
    step = score_step()
    found = session.execute(
        select(step, func.count()).where(StudyRow.top_probability.is_not(None)).group_by(step)
    )
    return {max(0, int(score)): count for score, count in found}


def score_step() -> ColumnElement[float]:
    """Return a study's score in thousandths, rounded down, as an expression."""
    # Without floor, which not every SQLite has; halves go to even ones in one database and up in
    # the other, so none may be left. Below the first it is -0 or -1.
    return func.round(StudyRow.top_probability * STEPS - _HALF)
