"""Which models are appointed, and the acts that made it so: read, and appended to.

Before the first act each worker goes by its settings. From then on the record decides, for all.
"""

from __future__ import annotations

import datetime as dt
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from screening.domain.appointment import Act, Appointed, Judge, ModelRole, Standing
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.errors import AppointmentChangedError
from screening.records.model_schema import AppointmentRow

CHANGED = "somebody else has just appointed a model: look at the models again"


def find_appointed(session: Session) -> Appointed:
    """Return who is to score. It is asked at the start of each batch: two rows by an index."""
    newest = next(iter(read_acts(session, limit=1)), None)
    if newest is None:
        return Appointed()
    return Appointed(_identity(newest.champion), _identity(newest.shadow))


def read_acts(session: Session, limit: int = 50) -> list[Standing]:
    """Return who held the roles after each act, the newest first."""
    rows = session.scalars(
        select(AppointmentRow)
        .order_by(AppointmentRow.number.desc(), AppointmentRow.role)
        .limit(limit * len(ModelRole))
    )
    return [_standing(list(of_act)) for _, of_act in groupby(rows, lambda row: row.number)]


def append_act(
    session: Session,
    number: int,
    act: Act,
    holders: tuple[Judge | None, Judge | None],
    *,
    at: dt.datetime,
    by: str,
    why: str,
) -> Standing:
    """Write who holds the roles from now on, champion and shadow.

    Parameters
    ----------
    number
        One more than that of the act that was looked at: what came in between is not overruled.

    Raises
    ------
    AppointmentChangedError
        If somebody else has done so meanwhile.
    """
    previous = {
        row.role: row.id
        for row in session.scalars(
            select(AppointmentRow).where(AppointmentRow.number == number - 1)
        )
    }
    rows = []
    for role, judge in zip(ModelRole, holders, strict=True):
        row = AppointmentRow(
            number=number,
            role=role.value,
            act=act.value,
            appointed_at=at,
            appointed_by=by,
            why=why,
            previous_row=previous.get(role.value),
        )
        if judge is not None:
            row.model_name = judge.identity.name
            row.model_version = judge.identity.version
            row.model_digest = judge.identity.digest
            row.high_sensitivity = judge.points.high_sensitivity
            row.high_specificity = judge.points.high_specificity
        rows.append(row)
    session.add_all(rows)
    try:
        session.flush()
    except IntegrityError:
        raise AppointmentChangedError(CHANGED) from None
    return _standing(rows)


def _standing(rows: list[AppointmentRow]) -> Standing:
    holders = {row.role: _judge(row) for row in rows}
    first = rows[0]
    return Standing(
        number=first.number,
        act=Act(first.act),
        champion=holders.get(ModelRole.CHAMPION.value),
        shadow=holders.get(ModelRole.SHADOW.value),
        at=first.appointed_at,
        by=first.appointed_by,
        why=first.why,
    )


def _judge(row: AppointmentRow) -> Judge | None:
    name, version, digest = row.model_name, row.model_version, row.model_digest
    low, high = row.high_sensitivity, row.high_specificity
    if name is None or version is None or digest is None or low is None or high is None:
        return None
    return Judge(ModelIdentity(name, version, digest), OperatingPoints(low, high))


def _identity(judge: Judge | None) -> ModelIdentity | None:
    return judge.identity if judge is not None else None
