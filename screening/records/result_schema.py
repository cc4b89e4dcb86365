"""The tables of what was found: scores, their circumstances, reasons, verdicts."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class ScoreRow(Table):
    """What one version of one classifier says of one instance: written once."""

    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("instance_row", "model_name", "model_version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_row: Mapped[int] = mapped_column(ForeignKey("instances.id"))
    model_name: Mapped[str]
    model_version: Mapped[str]
    model_digest: Mapped[str] = mapped_column(String(64))
    probability: Mapped[float]
    verdict: Mapped[str] = mapped_column(String(16))
    high_sensitivity: Mapped[float]
    high_specificity: Mapped[float]
    hottest_x: Mapped[float | None]
    hottest_y: Mapped[float | None]
    strangeness: Mapped[float | None]
    """Of the image to the classifier; empty where it cannot tell."""
    strangeness_limit: Mapped[float | None]
    scored_at: Mapped[dt.datetime]
    seconds: Mapped[float | None]
    """That scoring took, by its share of a batch; empty where an older release wrote it."""


class ShadowScoreRow(Table):
    """What a shadow model says of one instance, or why it says nothing: written once.

    A table of its own, so that no query for scores can meet one by mistake.
    """

    __tablename__ = "shadow_scores"
    __table_args__ = (UniqueConstraint("instance_row", "model_name", "model_version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_row: Mapped[int] = mapped_column(ForeignKey("instances.id"))
    model_name: Mapped[str]
    model_version: Mapped[str]
    model_digest: Mapped[str] = mapped_column(String(64))
    probability: Mapped[float | None]
    high_sensitivity: Mapped[float]
    high_specificity: Mapped[float]
    hottest_x: Mapped[float | None]
    hottest_y: Mapped[float | None]
    strangeness: Mapped[float | None]
    strangeness_limit: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(String(32))
    """Why there is no probability."""
    detail: Mapped[str | None]
    scored_at: Mapped[dt.datetime]
    seconds: Mapped[float | None]


class QualityRow(Table):
    """What gives an instance's score more or less weight: as of its last score."""

    __tablename__ = "qualities"

    instance_row: Mapped[int] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    black_share: Mapped[float]
    white_share: Mapped[float]
    contrast: Mapped[float]
    field_share: Mapped[float]
    longer_side: Mapped[int]
    view_spread: Mapped[float | None]
    """Empty where there is no score."""


class HeatmapRow(Table):
    """Where a classifier saw a fracture, for what is flagged: written with its score."""

    __tablename__ = "heatmaps"

    score_row: Mapped[int] = mapped_column(ForeignKey("scores.id"), primary_key=True)
    picture: Mapped[bytes]
    """PNG in 8 bits of grey, covering the radiograph from edge to edge; 255 is 1."""
    outside_share: Mapped[float]
    """Of its heat, outside the anatomy."""


class ExclusionRow(Table):
    """Why an instance has no score: one reason from the closed list."""

    __tablename__ = "exclusions"

    instance_row: Mapped[int] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32), index=True)
    detail: Mapped[str]
    excluded_at: Mapped[dt.datetime]
    model_name: Mapped[str | None]
    model_version: Mapped[str | None]
    """Of the classifier that was at work; empty where an older release wrote it."""


class RevisionRow(Table):
    """One revision of a study's verdict, and how many images it rests on."""

    __tablename__ = "verdict_revisions"
    __table_args__ = (UniqueConstraint("study_row", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    revision: Mapped[int]
    verdict: Mapped[str] = mapped_column(String(16))
    top_probability: Mapped[float | None]
    images_received: Mapped[int]
    images_scored: Mapped[int]
    images_not_scored: Mapped[int]
    images_waiting: Mapped[int]
    model_name: Mapped[str]
    model_version: Mapped[str]
    decided_at: Mapped[dt.datetime]
