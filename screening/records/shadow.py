"""What a shadow model says: recorded beside the scores, in a table that no verdict is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.dialect import insert_for
from screening.records.result_schema import ShadowScoreRow
from screening.records.results import Result, Scorer
from screening.records.schema import InstanceRow


@dataclass(frozen=True, slots=True)
class ShadowScore:
    """What one version of a shadow model said of an image, or why it said nothing.

    Attributes
    ----------
    probability
        In [0, 1]; ``None`` where it gave none.
    high_sensitivity, high_specificity
        In force for the shadow then. No verdict is made with them.
    strangeness, strangeness_limit
        Of the image to it; ``None`` where it cannot tell.
    exclusion
        Why it gave no probability.
    """

    model: str
    model_version: str
    model_digest: str
    probability: float | None
    high_sensitivity: float
    high_specificity: float
    hottest_x: float | None
    hottest_y: float | None
    strangeness: float | None
    strangeness_limit: float | None
    exclusion: Exclusion | None
    scored_at: dt.datetime


def record_shadow(
    session: Session,
    results: Mapping[int, Result],
    scorer: Scorer,
    now: dt.datetime,
    seconds: float | None = None,
) -> None:
    """Write a shadow's results, by instance row. What it said once stays.

    No study, image or verdict is read or written: whatever a shadow says changes none.

    Parameters
    ----------
    seconds
        That each image took, by its share of the batch.
    """
    for row, result in results.items():
        session.execute(
            insert_for(session, ShadowScoreRow)
            .values(
                instance_row=row,
                model_name=scorer.identity.name,
                model_version=scorer.identity.version,
                model_digest=scorer.identity.digest,
                high_sensitivity=scorer.points.high_sensitivity,
                high_specificity=scorer.points.high_specificity,
                scored_at=now,
                seconds=seconds if isinstance(result, Prediction) else None,
                **_said(result),
            )
            .on_conflict_do_nothing(index_elements=["instance_row", "model_name", "model_version"])
        )


def _said(result: Result) -> dict[str, Any]:
    if isinstance(result, Prediction):
        familiarity = result.familiarity
        return {
            "probability": result.probability,
            "hottest_x": result.hottest_x,
            "hottest_y": result.hottest_y,
            "strangeness": familiarity.strangeness if familiarity else None,
            "strangeness_limit": familiarity.limit if familiarity else None,
        }
    return {"reason": result.reason.value, "detail": result.detail}


def shadow_scores(session: Session, study_row: int) -> dict[int, list[ShadowScore]]:
    """Return what shadow models said of a study's images, by instance row, in order of time."""
    found = session.scalars(
        select(ShadowScoreRow)
        .join(InstanceRow, InstanceRow.id == ShadowScoreRow.instance_row)
        .where(InstanceRow.study_row == study_row)
        .order_by(ShadowScoreRow.id)
    )
    scores: dict[int, list[ShadowScore]] = {}
    for row in found:
        scores.setdefault(row.instance_row, []).append(_score(row))
    return scores


def _score(row: ShadowScoreRow) -> ShadowScore:
    reason = Reason(row.reason) if row.reason else None
    return ShadowScore(
        model=row.model_name,
        model_version=row.model_version,
        model_digest=row.model_digest,
        probability=row.probability,
        high_sensitivity=row.high_sensitivity,
        high_specificity=row.high_specificity,
        hottest_x=row.hottest_x,
        hottest_y=row.hottest_y,
        strangeness=row.strangeness,
        strangeness_limit=row.strangeness_limit,
        exclusion=Exclusion(reason, row.detail or "") if reason else None,
        scored_at=row.scored_at,
    )
