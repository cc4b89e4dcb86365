"""Where an image's bytes lie, and its newest heatmap, by its UID."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session, aliased

from screening.domain.retention import Removal
from screening.domain.verdict import URGENCY
from screening.records.removals import removals_of
from screening.records.result_schema import HeatmapRow, ScoreRow
from screening.records.results import score_stands
from screening.records.schema import InstanceRow, StudyRow

_LATER = aliased(ScoreRow)

# As `screening.domain.verdict.weight` has it.
_URGENCY = case(
    {verdict.value: place for place, verdict in enumerate(URGENCY)}, value=ScoreRow.verdict
)


@dataclass(frozen=True, slots=True)
class LocatedImage:
    """An image that we hold: its study, and the digest under which the archive has it.

    The removal is ``None`` unless a rule removed its pixels, or is about to.
    """

    study_instance_uid: str
    digest: str
    removal: Removal | None = None


def locate_image(session: Session, sop_instance_uid: str) -> LocatedImage | None:
    """Return where an image is, ``None`` if we never received it."""
    found = session.execute(
        select(StudyRow.study_instance_uid, InstanceRow.digest)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(InstanceRow.sop_instance_uid == sop_instance_uid)
    ).one_or_none()
    if found is None:
        return None
    uid, digest = found
    return LocatedImage(uid, digest, removals_of(session, [digest]).get(digest))


def newest_heatmap(session: Session, sop_instance_uid: str) -> bytes | None:
    """Return the heatmap of an image's newest score as PNG, ``None`` where that has none."""
    newest = (
        select(ScoreRow.id)
        .join(InstanceRow, InstanceRow.id == ScoreRow.instance_row)
        .where(InstanceRow.sop_instance_uid == sop_instance_uid, score_stands())
        .order_by(ScoreRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    # Emptied where a rule removed the pixels.
    return session.scalar(select(HeatmapRow.picture).where(HeatmapRow.score_row == newest)) or None


@dataclass(frozen=True, slots=True)
class HottestImage:
    """The image whose score is its study's, and its heatmap as PNG where it has one.

    The removal is ``None`` unless a rule removed its pixels, or is about to.
    """

    digest: str
    heat: bytes | None
    removal: Removal | None = None


def hottest_image(session: Session, study_instance_uid: str) -> HottestImage | None:
    """Return the image behind a study's score; ``None`` where nothing was scored."""
    found = session.execute(
        select(InstanceRow.digest, HeatmapRow.picture)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .join(ScoreRow, ScoreRow.instance_row == InstanceRow.id)
        .outerjoin(HeatmapRow, HeatmapRow.score_row == ScoreRow.id)
        .where(
            StudyRow.study_instance_uid == study_instance_uid,
            score_stands(),
            ~exists().where(_LATER.instance_row == ScoreRow.instance_row, _LATER.id > ScoreRow.id),
        )
        .order_by(_URGENCY, ScoreRow.probability.desc(), ScoreRow.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    digest, heat = found
    return HottestImage(digest, heat or None, removals_of(session, [digest]).get(digest))
