"""Operating points that are set here, in place of those that a model came with.

Versioned by model: another model, or the same one trained anew, starts with its own. What is scored
from then on is judged by them; what was scored before keeps the verdict that it was given.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.errors import PointsChangedError, PointsError
from screening.records.champion import find_champion
from screening.records.desk_schema import OperatingPointsRow

LONGEST_NOTE = 500
"""Characters."""

_OWN = "the model's own"


@dataclass(frozen=True, slots=True)
class PointsRevision:
    """Operating points, and who set them when and why.

    Attributes
    ----------
    number
        By model, from 0: those that it came with.
    set_at
        UTC; of revision 0, when it was first replaced. ``None`` where it never was.
    """

    number: int
    points: OperatingPoints
    note: str
    set_by: str
    set_at: dt.datetime | None

    def __str__(self) -> str:
        points = self.points
        return (
            f"revision {self.number}: doubtful from {points.high_sensitivity:g}, "
            f"suspected from {points.high_specificity:g}"
        )


@dataclass(frozen=True, slots=True)
class ModelPoints:
    """The points of the model at work.

    Attributes
    ----------
    model
        The champion; where nobody was ever appointed, the one behind the newest score.
    revisions
        The newest first, which is in force; there is always one.
    seen
        Which model and revision that is: who sets others repeats it.
    """

    model: ModelIdentity
    revisions: tuple[PointsRevision, ...]
    seen: str

    @property
    def in_force(self) -> PointsRevision:
        """What the next image is judged by."""
        return self.revisions[0]


def find_points(session: Session, model: ModelIdentity) -> OperatingPoints | None:
    """Return the points that are set here for a model; ``None`` where its own hold."""
    found = session.execute(
        select(OperatingPointsRow.high_sensitivity, OperatingPointsRow.high_specificity)
        .where(_of(model))
        .order_by(OperatingPointsRow.revision.desc())
        .limit(1)
    ).first()
    return OperatingPoints(*found) if found else None


def read_points(session: Session) -> ModelPoints | None:
    """Return the points of the model at work; ``None`` while there is no score.

    That is the champion; where nobody was ever appointed, the model behind the newest score.
    """
    found = find_champion(session)
    if found is None:
        return None
    model, own = found.identity, found.points
    rows = session.scalars(
        select(OperatingPointsRow).where(_of(model)).order_by(OperatingPointsRow.revision.desc())
    )
    revisions = tuple(map(_revision, rows)) or (PointsRevision(0, own, "", _OWN, None),)
    told = json.dumps([model.name, model.version, model.digest, revisions[0].number])
    return ModelPoints(model, revisions, hashlib.sha256(told.encode()).hexdigest()[:16])


def set_points(
    session: Session,
    points: OperatingPoints,
    *,
    note: str,
    set_by: str,
    now: dt.datetime,
    seen: str | None = None,
) -> PointsRevision:
    """Put other points into force for the model at work.

    Parameters
    ----------
    session
        An open transaction.
    note
        Why; not empty, at most 500 characters.
    seen
        Of the `ModelPoints` that were looked at when they were chosen; ``None`` for any.

    Raises
    ------
    PointsChangedError
        If another revision is in force by now, or another model at work.
    PointsError
        If nothing is scored yet, or the note is none.
    """
    note = note.strip()
    if not 0 < len(note) <= LONGEST_NOTE or "\0" in note:
        raise PointsError(f"say why, in at most {LONGEST_NOTE} characters")
    known = read_points(session)
    if known is None:
        raise PointsError("nothing is scored yet: points are set for the model of the last score")
    before = known.in_force
    if seen is not None and seen != known.seen:
        raise PointsChangedError(
            f"revision {before.number} of {known.model.name} {known.model.version} is in force by "
            "now: look at it first"
        )
    if before.set_at is None:
        session.add(_row(known.model, 0, before.points, "", _OWN, now))
    row = _row(known.model, before.number + 1, points, note, set_by, now)
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise PointsChangedError("somebody else has just set them: look at those first") from None
    return _revision(row)


def _of(model: ModelIdentity) -> ColumnElement[bool]:
    return and_(
        OperatingPointsRow.model_name == model.name,
        OperatingPointsRow.model_version == model.version,
        OperatingPointsRow.model_digest == model.digest,
    )


def _row(
    model: ModelIdentity,
    revision: int,
    points: OperatingPoints,
    note: str,
    set_by: str,
    now: dt.datetime,
) -> OperatingPointsRow:
    return OperatingPointsRow(
        model_name=model.name,
        model_version=model.version,
        model_digest=model.digest,
        revision=revision,
        high_sensitivity=points.high_sensitivity,
        high_specificity=points.high_specificity,
        note=note,
        set_by=set_by,
        set_at=now,
    )


def _revision(row: OperatingPointsRow) -> PointsRevision:
    points = OperatingPoints(row.high_sensitivity, row.high_specificity)
    return PointsRevision(row.revision, points, row.note, row.set_by, row.set_at)
