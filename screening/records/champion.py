"""The model that verdicts rest on: the one appointed, or else the one behind the newest score."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.appointment import Judge
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.records.appointments import read_acts
from screening.records.result_schema import ScoreRow, ShadowScoreRow


def find_champion(session: Session) -> Judge | None:
    """Return it; ``None`` where nobody was ever appointed and nothing is scored."""
    for act in read_acts(session, limit=1):
        return act.champion
    score = newest_score(session)
    return None if score is None else judge_of(score)


def newest_score(session: Session) -> ScoreRow | None:
    """Return the row of the newest score; ``None`` before the first."""
    return session.scalars(select(ScoreRow).order_by(ScoreRow.id.desc()).limit(1)).first()


def judge_of(row: ScoreRow | ShadowScoreRow) -> Judge:
    """Return the model of a score, with the operating points that it was judged by."""
    identity = ModelIdentity(row.model_name, row.model_version, row.model_digest)
    return Judge(identity, OperatingPoints(row.high_sensitivity, row.high_specificity))
