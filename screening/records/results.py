"""A score or a reason is written, once, and the study's living verdict follows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.observation import Observation
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.verdict import OperatingPoints, Verdict, study_verdict, weight
from screening.records.changes import note_change
from screening.records.dialect import insert_for
from screening.records.reasons import settle_reasons
from screening.records.result_schema import (
    ExclusionRow,
    HeatmapRow,
    QualityRow,
    RevisionRow,
    ScoreRow,
)
from screening.records.schema import InstanceRow, StudyRow


@dataclass(frozen=True, slots=True)
class Scorer:
    """Which classifier scores, and at which operating points."""

    identity: ModelIdentity
    points: OperatingPoints


Result = Prediction | Exclusion


def record_results(
    session: Session,
    study_row: int,
    results: Mapping[int, Result],
    scorer: Scorer,
    now: dt.datetime,
    observations: Mapping[int, Observation] | None = None,
) -> None:
    """Write the results of some images of a study and revise its verdict.

    An image that has its result already keeps it: running twice changes nothing.

    Parameters
    ----------
    session
        An open transaction.
    study_row
        The study; its row is locked, so that two workers revise one after the other.
    results
        By instance row, a prediction or the reason why there is none.
    scorer
        The classifier that ran.
    now
        The present, UTC.
    observations
        By instance row, what else was seen of some of these images.
    """
    session.execute(select(StudyRow.id).where(StudyRow.id == study_row).with_for_update())
    is_news = False
    for row, result in results.items():
        told = _settle(session, row, result, scorer, now, (observations or {}).get(row))
        # Of our own objects that came back there is nothing to tell anybody.
        is_ours = isinstance(result, Exclusion) and result.reason is Reason.DERIVED_BY_US
        is_news |= told and not is_ours
    _revise(session, study_row, scorer, now, is_news=is_news)


def _settle(
    session: Session,
    row: int,
    result: Result,
    scorer: Scorer,
    now: dt.datetime,
    seen: Observation | None,
) -> bool:
    """Write a result, and say whether others are to be told of it."""
    scored = isinstance(result, Prediction)
    state = InstanceState.SCORED if scored else InstanceState.NOT_SCORED
    settled = session.execute(
        update(InstanceRow)
        .where(InstanceRow.id == row, InstanceRow.state == InstanceState.WAITING.value)
        .values(state=state.value, claimed_until=None)
        .returning(InstanceRow.is_told)
    ).first()
    if settled is None:
        return False
    if seen is not None:
        _write_quality(session, row, seen)
    if isinstance(result, Prediction):
        seconds = seen.seconds if seen is not None else None
        score = _write_score(session, row, result, scorer, now, seconds)
        if score is not None and seen is not None and seen.heatmap is not None:
            values = asdict(seen.heatmap)
            session.execute(insert_for(session, HeatmapRow).values(score_row=score, **values))
    else:
        session.add(
            ExclusionRow(
                instance_row=row,
                reason=result.reason.value,
                detail=result.detail,
                excluded_at=now,
                model_name=scorer.identity.name,
                model_version=scorer.identity.version,
            )
        )
    return bool(settled.is_told)


def _write_quality(session: Session, row: int, seen: Observation) -> None:
    values = {**asdict(seen.quality), "view_spread": seen.view_spread}
    session.execute(
        insert_for(session, QualityRow)
        .values(instance_row=row, **values)
        .on_conflict_do_update(index_elements=["instance_row"], set_=values)
    )


def _write_score(
    session: Session,
    row: int,
    prediction: Prediction,
    scorer: Scorer,
    now: dt.datetime,
    seconds: float | None,
) -> int | None:
    """Return the row of the score, ``None`` where this classifier has scored the image before."""
    familiarity = prediction.familiarity
    return session.scalar(
        insert_for(session, ScoreRow)
        .values(
            instance_row=row,
            model_name=scorer.identity.name,
            model_version=scorer.identity.version,
            model_digest=scorer.identity.digest,
            probability=prediction.probability,
            verdict=scorer.points.verdict(prediction.probability).value,
            high_sensitivity=scorer.points.high_sensitivity,
            high_specificity=scorer.points.high_specificity,
            hottest_x=prediction.hottest_x,
            hottest_y=prediction.hottest_y,
            strangeness=familiarity.strangeness if familiarity else None,
            strangeness_limit=familiarity.limit if familiarity else None,
            scored_at=now,
            seconds=seconds,
        )
        .on_conflict_do_nothing(index_elements=["instance_row", "model_name", "model_version"])
        .returning(ScoreRow.id)
    )


def _revise(
    session: Session, study_row: int, scorer: Scorer, now: dt.datetime, *, is_news: bool
) -> None:
    """Append a revision if the verdict, its score or what it rests on has changed."""
    session.flush()
    counts = _counts(session, study_row)
    scores = _newest_scores(session, study_row)
    verdict = study_verdict(
        (Verdict(score.verdict) for score in scores), counts[InstanceState.WAITING]
    )
    # Not simply the highest: two models may have scored its images, each with points of its own.
    top = max(
        scores, key=lambda score: weight(Verdict(score.verdict), score.probability), default=None
    )
    row = RevisionRow(
        study_row=study_row,
        verdict=verdict.value,
        top_probability=top.probability if top else None,
        images_received=sum(counts.values()),
        images_scored=counts[InstanceState.SCORED],
        images_not_scored=counts[InstanceState.NOT_SCORED],
        images_waiting=counts[InstanceState.WAITING],
        # Of the score that decides: earlier images may be another version's.
        model_name=top.model_name if top else scorer.identity.name,
        model_version=top.model_version if top else scorer.identity.version,
        decided_at=now,
    )
    newest = session.scalars(
        select(RevisionRow)
        .where(RevisionRow.study_row == study_row)
        .order_by(RevisionRow.revision.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or _says(newest) != _says(row):
        row.revision = newest.revision + 1 if newest is not None else 1
        session.add(row)
        if is_news:
            note_change(session, study_row, now)
    else:
        row.revision = newest.revision
    # In any case: a study that was let wait again may end where it was before.
    session.execute(
        update(StudyRow)
        .where(StudyRow.id == study_row)
        .values(
            verdict=row.verdict,
            top_probability=row.top_probability,
            revision=row.revision,
            images_received=row.images_received,
            images_scored=row.images_scored,
            images_not_scored=row.images_not_scored,
        )
    )
    settle_reasons(session.connection(), study_row)


def _says(row: RevisionRow) -> tuple[object, ...]:
    return (
        row.verdict,
        row.top_probability,
        row.images_received,
        row.images_scored,
        row.images_not_scored,
        row.images_waiting,
    )


def score_stands() -> ColumnElement[bool]:
    """Say of an instance whether the scores that it has count.

    They do not where a later model has a reason not to score it. That an attempt failed is none.
    """
    reason = exists().where(
        ExclusionRow.instance_row == InstanceRow.id,
        ExclusionRow.reason != Reason.ERROR.value,
    )
    return ~reason


def _counts(session: Session, study_row: int) -> dict[InstanceState, int]:
    counted = session.execute(
        select(InstanceRow.state, func.count())
        .where(InstanceRow.study_row == study_row)
        .group_by(InstanceRow.state)
    )
    found = {InstanceState(state): count for state, count in counted}
    return {state: found.get(state, 0) for state in InstanceState}


def _newest_scores(session: Session, study_row: int) -> Sequence[ScoreRow]:
    newest = (
        select(func.max(ScoreRow.id))
        .join(InstanceRow, InstanceRow.id == ScoreRow.instance_row)
        .where(InstanceRow.study_row == study_row, score_stands())
        .group_by(ScoreRow.instance_row)
    )
    return session.scalars(select(ScoreRow).where(ScoreRow.id.in_(newest))).all()
