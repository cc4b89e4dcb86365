"""The tables of changed identities: patients who became one, and what told us so."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class IdentityRow(Table):
    """An identifier that became another: of a patient, or for one study alone. Never deleted."""

    __tablename__ = "identities"

    id: Mapped[int] = mapped_column(primary_key=True)
    old_patient_id: Mapped[str] = mapped_column(index=True)
    old_issuer: Mapped[str | None]
    survivor_row: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    """The patient from now on, as they are shown."""
    study_row: Mapped[int | None] = mapped_column(ForeignKey("studies.id"), index=True)
    """The one study that it holds for; empty where the patients are one."""
    made_by: Mapped[str]
    why: Mapped[str]
    made_at: Mapped[dt.datetime]
    undone_by: Mapped[str | None]
    undone_at: Mapped[dt.datetime | None]


class ConflictPatientRow(Table):
    """The patient whom the other bytes of a conflict name."""

    __tablename__ = "conflict_patients"

    conflict_row: Mapped[int] = mapped_column(ForeignKey("conflicts.id"), primary_key=True)
    patient_row: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)


class AdtMessageRow(Table):
    """A message of the hospital's feed that was answered AA: it is done once."""

    __tablename__ = "adt_messages"
    __table_args__ = (
        UniqueConstraint("application", "control_id", "digest", name="uq_adt_messages_message"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    application: Mapped[str]
    """Sending application and facility, MSH-3 and MSH-4."""
    control_id: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of its bytes: a sender that counts anew gives a number twice."""
    event: Mapped[str]
    taken_at: Mapped[dt.datetime]
