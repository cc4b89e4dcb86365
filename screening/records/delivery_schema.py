"""The tables of what goes back to a PACS: what is new, what is on its way, what has arrived."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class ChangedStudyRow(Table):
    """A study of which there is something new to tell, until deliveries are planned."""

    __tablename__ = "changed_studies"

    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    changed_at: Mapped[dt.datetime] = mapped_column(index=True)


class DeliveryRow(Table):
    """A study on its way to one destination: what it holds now, whatever went there before."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("study_row", "destination"),
        Index(
            "ix_deliveries_due",
            "destination",
            "due_at",
            sqlite_where=text("state = 'due'"),
            postgresql_where=text("state = 'due'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    destination: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))
    """due, delivered or dead."""
    changes: Mapped[int] = mapped_column(default=1)
    """How often there was something new: who delivers settles only what they looked at."""
    again: Mapped[bool]
    """Whether to send what has arrived before once more."""
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[dt.datetime]
    first_due_at: Mapped[dt.datetime]
    """Since when it is tried: after some days it is given up."""
    taken_at: Mapped[dt.datetime | None]
    """Since when a courier is at it; empty while nobody is."""
    settled_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]


class DeliveredObjectRow(Table):
    """An object that a destination has acknowledged."""

    __tablename__ = "delivered_objects"
    __table_args__ = (UniqueConstraint("delivery_row", "sop_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_row: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    kind: Mapped[str] = mapped_column(String(16))
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    version: Mapped[str] = mapped_column(String(64))
    """Of the content that it tells."""
    status: Mapped[int]
    """Of the C-STORE response: 0, or a warning."""
    acknowledged_at: Mapped[dt.datetime]
    times: Mapped[int] = mapped_column(default=1)
    committed_at: Mapped[dt.datetime | None]
    """When the destination said that it keeps it."""
