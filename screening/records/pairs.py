"""The images that two models have both scored, whichever of them was champion then."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from screening.domain.prediction import ModelIdentity
from screening.domain.side_by_side import Pair
from screening.records.result_schema import ScoreRow, ShadowScoreRow
from screening.records.schema import InstanceRow, StudyRow

_Scored = type[ScoreRow] | type[ShadowScoreRow]

# As champion and shadow, the other way round, and one after the other by a rescreening.
_ROLES: tuple[tuple[_Scored, _Scored], ...] = (
    (ScoreRow, ShadowScoreRow),
    (ShadowScoreRow, ScoreRow),
    (ScoreRow, ScoreRow),
)

_WINDOW = 5
"""How many times as many images are looked at as are wanted."""


def read_pairs(
    session: Session, champion: ModelIdentity, shadow: ModelIdentity, most: int
) -> list[Pair]:
    """Return what both say of the images that both have scored, the newest images first.

    Parameters
    ----------
    most
        At most so many.
    """
    found: dict[int, Pair] = {}
    for ours, theirs in _ROLES:
        for row, pair in _pairs(session, (ours, champion), (theirs, shadow), most).items():
            found.setdefault(row, pair)
    return [found[row] for row in sorted(found, reverse=True)[:most]]


def _pairs(
    session: Session,
    ours: tuple[_Scored, ModelIdentity],
    theirs: tuple[_Scored, ModelIdentity],
    most: int,
) -> dict[int, Pair]:
    own, other = aliased(ours[0]), aliased(theirs[0])
    rows = session.execute(
        select(
            InstanceRow.id,
            StudyRow.study_instance_uid,
            InstanceRow.sop_instance_uid,
            own.probability,
            other.probability,
            own.seconds,
            other.seconds,
        )
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .join(own, own.instance_row == InstanceRow.id)
        .join(other, other.instance_row == InstanceRow.id)
        .where(
            _by(own, ours[1]),
            _by(other, theirs[1]),
            own.probability.is_not(None),
            other.probability.is_not(None),
            # Of a million images that nobody has scored twice none is looked at.
            InstanceRow.id > select(func.max(InstanceRow.id) - _WINDOW * most).scalar_subquery(),
        )
        .order_by(InstanceRow.id.desc())
        .limit(most)
    )
    return {row: Pair(uid, image, a or 0.0, b or 0.0, *t) for row, uid, image, a, b, *t in rows}


def _by(table: _Scored, model: ModelIdentity) -> ColumnElement[bool]:
    return and_(
        table.model_name == model.name,
        table.model_version == model.version,
        table.model_digest == model.digest,
    )
