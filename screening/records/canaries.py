"""Canaries: asked for once a night, scored by whichever worker comes first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from screening.domain.canary import CanaryScore
from screening.domain.prediction import ModelIdentity
from screening.records.canary_schema import CanaryRoundRow, CanaryScoreRow
from screening.records.dialect import insert_for

_SOON = dt.timedelta(hours=12)


def ask_for_canaries(session: Session, night: dt.date, now: dt.datetime) -> None:
    """Have the canaries scored in a night; once, however often it is asked."""
    session.execute(
        insert_for(session, CanaryRoundRow)
        .values(night=night, asked_at=now)
        .on_conflict_do_nothing(index_elements=["night"])
    )


def rounds_to_do(session: Session, now: dt.datetime) -> list[int]:
    """Return the rounds that were asked for in the last half day and are not done."""
    query = select(CanaryRoundRow.id).where(
        CanaryRoundRow.done_at.is_(None), CanaryRoundRow.asked_at > now - _SOON
    )
    return list(session.scalars(query.order_by(CanaryRoundRow.id)))


def record_canaries(
    session: Session,
    round_row: int,
    model: ModelIdentity,
    scores: Mapping[str, float | str],
    now: dt.datetime,
) -> None:
    """Write what a model says of the canaries, unless the round is done.

    Parameters
    ----------
    scores
        By the canary's name, its probability or why it has none.
    """
    row = session.get(CanaryRoundRow, round_row, with_for_update=True)
    if row is None or row.done_at is not None:
        return
    row.done_at = now
    for name, score in scores.items():
        session.add(
            CanaryScoreRow(
                round_row=round_row,
                name=name,
                model_name=model.name,
                model_version=model.version,
                model_digest=model.digest,
                probability=None if isinstance(score, str) else score,
                why=score if isinstance(score, str) else None,
                scored_at=now,
            )
        )


def read_canaries(session: Session, since: dt.datetime, until: dt.datetime) -> list[CanaryScore]:
    """Return the canaries' scores of rounds that were asked for between two moments."""
    first_rows = (
        select(func.min(CanaryScoreRow.id).label("id"))
        .where(CanaryScoreRow.probability.is_not(None))
        .group_by(CanaryScoreRow.name, CanaryScoreRow.model_digest)
        .subquery()
    )
    firsts = {
        (name, digest): probability
        for name, digest, probability in session.execute(
            select(
                CanaryScoreRow.name, CanaryScoreRow.model_digest, CanaryScoreRow.probability
            ).join(first_rows, first_rows.c.id == CanaryScoreRow.id)
        )
    }
    found = session.scalars(
        select(CanaryScoreRow)
        .join(CanaryRoundRow, CanaryRoundRow.id == CanaryScoreRow.round_row)
        .where(CanaryRoundRow.asked_at >= since, CanaryRoundRow.asked_at < until)
        .order_by(CanaryScoreRow.id)
    )
    return [
        CanaryScore(
            name=row.name,
            model=row.model_name,
            model_version=row.model_version,
            probability=row.probability,
            first=firsts.get((row.name, row.model_digest)),
            why=row.why,
            other_weights=_had_other_weights(session, row),
            scored_at=row.scored_at,
        )
        for row in found
    ]


def _had_other_weights(session: Session, row: CanaryScoreRow) -> bool:
    earlier = exists().where(
        CanaryScoreRow.model_name == row.model_name,
        CanaryScoreRow.model_version == row.model_version,
        CanaryScoreRow.model_digest != row.model_digest,
        CanaryScoreRow.id < row.id,
    )
    return bool(session.scalar(select(earlier)))


def canaries_not_scored(session: Session, since: dt.datetime, until: dt.datetime) -> int:
    """Count the rounds that were asked for between two moments, and that no worker has done."""
    query = (
        select(func.count())
        .select_from(CanaryRoundRow)
        .where(
            CanaryRoundRow.asked_at >= since,
            CanaryRoundRow.asked_at < until,
            CanaryRoundRow.done_at.is_(None),
        )
    )
    return session.scalar(query) or 0
