"""All that is known of one study: its images, scores, reasons, conflicts and revisions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.observation import KeptHeatmap
from screening.domain.quality import Circumstances, Quality
from screening.domain.reason import Exclusion, Reason
from screening.domain.retention import Removal
from screening.domain.verdict import Verdict
from screening.records.cases import Case, find_case
from screening.records.conflicts import Conflict, conflicts_of
from screening.records.holds import Hold, holds_on
from screening.records.removals import removals_of
from screening.records.result_schema import (
    ExclusionRow,
    HeatmapRow,
    QualityRow,
    RevisionRow,
    ScoreRow,
)
from screening.records.schema import (
    AssociationRow,
    InstanceRow,
    PatientRow,
    SeriesRow,
    StudyRow,
)
from screening.records.shadow import ShadowScore, shadow_scores
from screening.records.surviving import Reidentified, reidentified


@dataclass(frozen=True, slots=True)
class Score:
    """What one version of one classifier said of an image, and at which operating points.

    The strangeness is that of the image to it, ``None`` where it cannot tell.
    """

    model: str
    model_version: str
    model_digest: str
    probability: float
    verdict: Verdict
    high_sensitivity: float
    high_specificity: float
    hottest_x: float | None
    hottest_y: float | None
    strangeness: float | None
    strangeness_limit: float | None
    scored_at: dt.datetime
    heatmap: KeptHeatmap | None


@dataclass(frozen=True, slots=True)
class Image:
    """One instance of the study: waiting, scored, or not scored with its reason.

    Its scores are those of every model, in order of time. The doubts say why the newest deserves
    less trust; its quality is ``None`` where it was not seen,
    and the view spread, how far its mirror image scores otherwise, where it has no score.
    The patient is the one whom its own header names. What a shadow model said stands apart from
    the scores and is behind no verdict. The removal is ``None`` unless a rule removed its pixels,
    or is about to.
    """

    sop_instance_uid: str
    patient_id: str | None
    patient_name: str | None
    sop_class_uid: str
    transfer_syntax_uid: str
    series_instance_uid: str
    series_number: int | None
    series_description: str | None
    modality: str | None
    instance_number: int | None
    view_position: str | None
    laterality: str | None
    rows: int | None
    columns: int | None
    digest: str
    size_bytes: int
    received_at: dt.datetime
    calling_ae_title: str
    state: InstanceState
    attempts: int
    last_error: str | None
    exclusion: Exclusion | None
    quality: Quality | None
    view_spread: float | None
    doubts: tuple[str, ...]
    scores: tuple[Score, ...]
    shadow_scores: tuple[ShadowScore, ...]
    removal: Removal | None = None

    @property
    def score(self) -> Score | None:
        """The newest; ``None`` where there is none, or a later model had a reason to give none."""
        stands = self.exclusion is None or self.exclusion.reason is Reason.ERROR
        return self.scores[-1] if stands and self.scores else None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of the verdict and what it rests on."""

    revision: int
    verdict: Verdict
    score: float | None
    images_received: int
    images_scored: int
    images_not_scored: int
    images_waiting: int
    model: str
    model_version: str
    decided_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Dossier:
    """A study, whole.

    Who its patient is by now stands apart where its images name another. The holds are those that
    stand, and let no rule remove its pixels.
    """

    case: Case
    reidentified: Reidentified | None
    images: tuple[Image, ...]
    conflicts: tuple[Conflict, ...]
    revisions: tuple[Revision, ...]
    holds: tuple[Hold, ...] = ()


def open_dossier(session: Session, study_instance_uid: str) -> Dossier | None:
    """Return all that is known of a study, or ``None`` if we never received it."""
    case = find_case(session, study_instance_uid)
    if case is None:
        return None
    study = session.scalars(
        select(StudyRow.id).where(StudyRow.study_instance_uid == study_instance_uid)
    ).one()
    return Dossier(
        case=case,
        reidentified=reidentified(session, study),
        images=_images(session, study),
        conflicts=conflicts_of(session, study, study_instance_uid),
        revisions=_revisions(session, study),
        holds=holds_on(session, study),
    )


def _images(session: Session, study: int) -> tuple[Image, ...]:
    found = session.execute(
        select(
            InstanceRow,
            SeriesRow,
            PatientRow,
            AssociationRow.calling_ae_title,
            ExclusionRow,
            QualityRow,
        )
        .join(PatientRow, PatientRow.id == InstanceRow.patient_row)
        .join(SeriesRow, SeriesRow.id == InstanceRow.series_row)
        .join(AssociationRow, AssociationRow.id == InstanceRow.association_row)
        .outerjoin(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
        .outerjoin(QualityRow, QualityRow.instance_row == InstanceRow.id)
        .where(InstanceRow.study_row == study)
        .order_by(SeriesRow.series_number, InstanceRow.instance_number, InstanceRow.id)
    ).all()
    (scores, shares), shadows = _scores(session, study), shadow_scores(session, study)
    removals = removals_of(session, [row.digest for row, *_ in found])
    return tuple(
        Image(
            sop_instance_uid=row.sop_instance_uid,
            patient_id=patient.patient_id,
            patient_name=patient.patient_name,
            sop_class_uid=row.sop_class_uid,
            transfer_syntax_uid=row.transfer_syntax_uid,
            series_instance_uid=series.series_instance_uid,
            series_number=series.series_number,
            series_description=series.series_description,
            modality=series.modality,
            instance_number=row.instance_number,
            view_position=row.view_position,
            laterality=row.laterality,
            rows=row.rows,
            columns=row.columns,
            digest=row.digest,
            size_bytes=row.size_bytes,
            received_at=row.received_at,
            calling_ae_title=calling,
            state=InstanceState(row.state),
            attempts=row.attempts,
            last_error=row.last_error,
            exclusion=Exclusion(Reason(out.reason), out.detail) if out else None,
            quality=_quality(seen),
            view_spread=seen.view_spread if seen else None,
            doubts=_doubts(seen, scores.get(row.id, []) if out is None else [], shares.get(row.id)),
            scores=tuple(scores.get(row.id, ())),
            shadow_scores=tuple(shadows.get(row.id, ())),
            removal=removals.get(row.digest),
        )
        for row, series, patient, calling, out, seen in found
    )


def _quality(row: QualityRow | None) -> Quality | None:
    if row is None:
        return None
    return Quality(
        black_share=row.black_share,
        white_share=row.white_share,
        contrast=row.contrast,
        field_share=row.field_share,
        longer_side=row.longer_side,
    )


def _doubts(
    row: QualityRow | None, scores: list[Score], outside_share: float | None
) -> tuple[str, ...]:
    quality = _quality(row)
    if row is None or quality is None or not scores:
        return ()
    newest = scores[-1]
    return Circumstances(
        quality,
        view_spread=row.view_spread or 0.0,
        outside_share=outside_share,
        strangeness=newest.strangeness,
        strangeness_limit=newest.strangeness_limit,
    ).doubts()


def _scores(session: Session, study: int) -> tuple[dict[int, list[Score]], dict[int, float | None]]:
    """Return the scores of each image, and how much of the newest one's heat is outside."""
    found = session.execute(
        select(ScoreRow, HeatmapRow)
        .join(InstanceRow, InstanceRow.id == ScoreRow.instance_row)
        .outerjoin(HeatmapRow, HeatmapRow.score_row == ScoreRow.id)
        .where(InstanceRow.study_row == study)
        .order_by(ScoreRow.id)
    )
    scores: dict[int, list[Score]] = {}
    shares: dict[int, float | None] = {}
    for row, heat in found:
        shares[row.instance_row] = heat.outside_share if heat else None
        scores.setdefault(row.instance_row, []).append(
            Score(
                model=row.model_name,
                model_version=row.model_version,
                model_digest=row.model_digest,
                probability=row.probability,
                verdict=Verdict(row.verdict),
                high_sensitivity=row.high_sensitivity,
                high_specificity=row.high_specificity,
                hottest_x=row.hottest_x,
                hottest_y=row.hottest_y,
                strangeness=row.strangeness,
                strangeness_limit=row.strangeness_limit,
                scored_at=row.scored_at,
                # Emptied where a rule removed the pixels.
                heatmap=KeptHeatmap(heat.picture, heat.outside_share)
                if heat and heat.picture
                else None,
            )
        )
    return scores, shares


def _revisions(session: Session, study: int) -> tuple[Revision, ...]:
    found = session.scalars(
        select(RevisionRow).where(RevisionRow.study_row == study).order_by(RevisionRow.revision)
    )
    return tuple(
        Revision(
            revision=row.revision,
            verdict=Verdict(row.verdict),
            score=row.top_probability,
            images_received=row.images_received,
            images_scored=row.images_scored,
            images_not_scored=row.images_not_scored,
            images_waiting=row.images_waiting,
            model=row.model_name,
            model_version=row.model_version,
            decided_at=row.decided_at,
        )
        for row in found
    )
