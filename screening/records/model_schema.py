"""The table of appointments: which model is champion, which its shadow, since when and why."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class AppointmentRow(Table):
    """Who holds a role after an act: each act writes one row for each role, and none is changed.

    Two acts at once cannot both be the next one: the second is refused.
    """

    __tablename__ = "model_appointments"
    __table_args__ = (UniqueConstraint("number", "role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    """Of the act, from 0: what was at work when the first act was done."""
    role: Mapped[str] = mapped_column(String(16))
    act: Mapped[str] = mapped_column(String(16))
    model_name: Mapped[str | None]
    """Empty where nobody holds the role, as this column's neighbours then."""
    model_version: Mapped[str | None]
    model_digest: Mapped[str | None] = mapped_column(String(64))
    high_sensitivity: Mapped[float | None]
    """In force for the model when it was appointed."""
    high_specificity: Mapped[float | None]
    appointed_at: Mapped[dt.datetime]
    appointed_by: Mapped[str]
    why: Mapped[str]
    previous_row: Mapped[int | None] = mapped_column(
        ForeignKey("model_appointments.id"), index=True
    )
    """Who held the role before."""
