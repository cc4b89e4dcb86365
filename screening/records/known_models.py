"""Models that the records know: what has scored, as champion or as shadow, and how much."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from screening.domain.appointment import Judge, Standing
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.records.appointments import read_acts
from screening.records.champion import judge_of, newest_score
from screening.records.operating_points import find_points
from screening.records.result_schema import ScoreRow, ShadowScoreRow

_TABLES = (ShadowScoreRow, ScoreRow)
_Scored = type[ScoreRow] | type[ShadowScoreRow]

# A shadow that has said nothing for so long before the newest score is one no more.
_STILL = dt.timedelta(days=1)


def read_standing(session: Session) -> Standing:
    """Return who holds the roles now, with the points that are in force for each.

    Where nobody was ever appointed, the champion is the model behind the newest score, and the
    shadow the one behind the newest that a shadow gave, if that is no more than a day older.
    """
    acts = read_acts(session, limit=1)
    found = acts[0] if acts else _by_scores(session)
    return dataclasses.replace(
        found, champion=_at_work(session, found.champion), shadow=_at_work(session, found.shadow)
    )


def _by_scores(session: Session) -> Standing:
    score = newest_score(session)
    if score is None:
        return Standing()
    beside = session.scalars(
        select(ShadowScoreRow).order_by(ShadowScoreRow.id.desc()).limit(1)
    ).first()
    stands = beside is not None and score.scored_at - beside.scored_at < _STILL
    return Standing(
        champion=judge_of(score), shadow=judge_of(beside) if beside is not None and stands else None
    )


def _at_work(session: Session, judge: Judge | None) -> Judge | None:
    if judge is None:
        return None
    return Judge(judge.identity, find_points(session, judge.identity) or judge.points)


def find_models(session: Session, name: str, version: str | None = None) -> list[Judge]:
    """Return the models of a name that have scored or were appointed, each once.

    With the points that are in force for them: those that were set here, else their own.
    """
    found: dict[ModelIdentity, Judge] = {}
    for judge in _named(session, name):
        if version is None or judge.identity.version == version:
            found.setdefault(judge.identity, judge)
    return [each for each in (_at_work(session, judge) for judge in found.values()) if each]


def _named(session: Session, name: str) -> Iterator[Judge]:
    """Yield models by the points of their newest scores, as champion and as shadow."""
    for table in _TABLES:
        newest = (
            select(func.max(table.id))
            .where(table.model_name == name)
            .group_by(table.model_version, table.model_digest)
        )
        columns = (
            *(table.model_name, table.model_version, table.model_digest),
            *(table.high_sensitivity, table.high_specificity),
        )
        for *model, low, high in session.execute(select(*columns).where(table.id.in_(newest))):
            yield Judge(ModelIdentity(*model), OperatingPoints(low, high))
    for act in read_acts(session):
        for judge in (act.champion, act.shadow):
            if judge is not None and judge.identity.name == name:
                yield judge


def count_scored(session: Session, model: ModelIdentity, most: int) -> int:
    """Count the images that a model has scored, in either role; it stops at `most`."""
    counted = 0
    for table in _TABLES:
        some = (
            select(table.id)
            .where(_by(table, model), table.probability.is_not(None))
            .limit(most - counted)
            .subquery()
        )
        counted += session.scalar(select(func.count()).select_from(some)) or 0
        if counted >= most:
            break
    return counted


def other_weights(session: Session, model: ModelIdentity) -> str | None:
    """Return the digest of other weights that have scored under a model's name and version."""
    for table in _TABLES:
        found = session.scalar(
            select(table.model_digest)
            .where(
                table.model_name == model.name,
                table.model_version == model.version,
                table.model_digest != model.digest,
            )
            .limit(1)
        )
        if found is not None:
            return found
    return None


def first_score(session: Session, model: ModelIdentity) -> dt.datetime | None:
    """Return when a model gave its first score, in either role."""
    found = [
        session.scalar(select(func.min(table.scored_at)).where(_by(table, model)))
        for table in _TABLES
    ]
    return min((each for each in found if each is not None), default=None)


def _by(table: _Scored, model: ModelIdentity) -> ColumnElement[bool]:
    return and_(
        table.model_name == model.name,
        table.model_version == model.version,
        table.model_digest == model.digest,
    )
