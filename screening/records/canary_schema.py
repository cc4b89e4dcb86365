"""The tables of canaries: when they were to be scored, and what came of it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class CanaryRoundRow(Table):
    """A night in which the canaries are to be scored."""

    __tablename__ = "canary_rounds"

    id: Mapped[int] = mapped_column(primary_key=True)
    night: Mapped[dt.date] = mapped_column(unique=True)
    asked_at: Mapped[dt.datetime] = mapped_column(index=True)
    done_at: Mapped[dt.datetime | None]


class CanaryScoreRow(Table):
    """What a model said of a canary in a round, or why it said nothing."""

    __tablename__ = "canary_scores"
    __table_args__ = (UniqueConstraint("round_row", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_row: Mapped[int] = mapped_column(ForeignKey("canary_rounds.id"))
    name: Mapped[str] = mapped_column(index=True)
    model_name: Mapped[str]
    model_version: Mapped[str]
    model_digest: Mapped[str] = mapped_column(String(64))
    probability: Mapped[float | None]
    why: Mapped[str | None]
    scored_at: Mapped[dt.datetime]
