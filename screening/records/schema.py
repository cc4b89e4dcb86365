"""The tables.

Text from outside is unbounded ``Text``: a PACS may send a value longer than its representation
allows, and a record must not fail for it. Times are UTC. Every foreign key is indexed.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import (
    Computed,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.triage import place_in_sql
from screening.domain.verdict import Verdict
from screening.records.table import Table


class AssociationRow(Table):
    """One association, from its request to its end, and what came of it."""

    __tablename__ = "associations"

    id: Mapped[int] = mapped_column(primary_key=True)
    listener: Mapped[str]
    """Which listener took it, as host:port: after a crash each closes its own."""
    calling_ae_title: Mapped[str]
    called_ae_title: Mapped[str]
    peer_address: Mapped[str]
    opened_at: Mapped[dt.datetime] = mapped_column(index=True)
    closed_at: Mapped[dt.datetime | None]
    outcome: Mapped[str] = mapped_column(String(16))
    """open, released, aborted, rejected, or lost where the listener died under it."""
    explanation: Mapped[str | None]
    """Why it was rejected or aborted, and the setting that would admit it."""
    stored: Mapped[int] = mapped_column(default=0)
    duplicates: Mapped[int] = mapped_column(default=0)
    conflicts: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    last_refusal: Mapped[str | None]


class PatientRow(Table):
    """A patient as one sender describes them: no merging, no cleaning."""

    __tablename__ = "patients"
    __table_args__ = (UniqueConstraint("identity_digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    identity_digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 over id, issuer, name, birth date and sex: the same five, the same row."""
    patient_id: Mapped[str | None] = mapped_column(index=True)
    issuer_of_patient_id: Mapped[str | None]
    patient_name: Mapped[str | None]
    patient_birth_date: Mapped[dt.date | None]
    patient_sex: Mapped[str | None]


class StudyRow(Table):
    """A study, its counts and its living verdict."""

    __tablename__ = "studies"
    # A page of the list is one stretch of one of these, whichever of its filters is set.
    __table_args__ = (
        Index(None, "place", "id", "study_date"),
        Index(None, "review", "place", "id"),
        Index(None, "body_part", "place", "id"),
        Index(None, "calling_ae_title", "place", "id"),
        Index(None, "study_date", "place", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(unique=True)
    patient_row: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    """As its first image names the patient."""
    accession_number: Mapped[str | None] = mapped_column(index=True)
    study_date: Mapped[dt.date | None]
    study_time: Mapped[dt.time | None]
    study_id: Mapped[str | None]
    study_description: Mapped[str | None]
    referring_physician: Mapped[str | None]
    institution: Mapped[str | None]
    body_part: Mapped[str | None]
    """Of its first image that names one."""
    age_years: Mapped[float | None]
    first_received_at: Mapped[dt.datetime]
    last_received_at: Mapped[dt.datetime] = mapped_column(index=True)
    verdict: Mapped[str] = mapped_column(String(16), default=Verdict.WAITING.value)
    top_probability: Mapped[float | None]
    """The highest among its scored images."""
    revision: Mapped[int] = mapped_column(default=0)
    """Number of the newest verdict revision; 0 before the first."""
    lane: Mapped[int] = mapped_column(default=Lane.STAT.value, server_default="0")
    """The most urgent of its images."""
    calling_ae_title: Mapped[str | None]
    """Who sent its first image."""
    images_received: Mapped[int] = mapped_column(default=0, server_default="0")
    images_scored: Mapped[int] = mapped_column(default=0, server_default="0")
    images_not_scored: Mapped[int] = mapped_column(default=0, server_default="0")
    review: Mapped[str | None] = mapped_column(String(16))
    """The opinion of its newest review; empty before the first."""
    place: Mapped[int] = mapped_column(Computed(place_in_sql()), nullable=True)
    """In the list, by the rule of `screening.domain.triage`. The database computes it, so that a
    study that an older release scores is in its place as well."""


class SeriesRow(Table):
    """A series of a study. One without a UID is filed under the empty one."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_row", "series_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    series_instance_uid: Mapped[str]
    modality: Mapped[str | None]
    series_number: Mapped[int | None]
    series_description: Mapped[str | None]
    body_part: Mapped[str | None]
    manufacturer: Mapped[str | None]
    manufacturer_model: Mapped[str | None]
    station_name: Mapped[str | None]


class InstanceRow(Table):
    """One SOP instance that was answered 0x0000, and where it stands in its life cycle."""

    __tablename__ = "instances"
    __table_args__ = (
        Index(
            "ix_instances_waiting",
            "study_row",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        # What a worker takes next, however long the backlog.
        Index(
            "ix_instances_queue",
            "lane",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    series_row: Mapped[int] = mapped_column(ForeignKey("series.id"), index=True)
    association_row: Mapped[int] = mapped_column(ForeignKey("associations.id"), index=True)
    patient_row: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    """As its own header names the patient: a study may mix up two."""
    digest: Mapped[str] = mapped_column(String(64), index=True)
    """BLAKE3 of the transfer syntax and of the data set as it came: the archive's path."""
    size_bytes: Mapped[int]
    received_at: Mapped[dt.datetime]
    instance_number: Mapped[int | None]
    view_position: Mapped[str | None]
    laterality: Mapped[str | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16), default=InstanceState.WAITING.value)
    lane: Mapped[int] = mapped_column(default=Lane.STAT.value, server_default="0")
    """Stat images are claimed before overnight ones."""
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[dt.datetime | None]
    claimed_by: Mapped[str | None]
    last_error: Mapped[str | None]
    rereadings: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often it was let wait for another model, with the scores that it had."""
    is_told: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether what becomes of it is to be told to others."""


class ConflictRow(Table):
    """Other bytes under a SOP Instance UID that we hold: kept apart, never scored, shown."""

    __tablename__ = "conflicts"
    __table_args__ = (UniqueConstraint("instance_row", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_row: Mapped[int] = mapped_column(ForeignKey("instances.id"))
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    transfer_syntax_uid: Mapped[str]
    association_row: Mapped[int] = mapped_column(ForeignKey("associations.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int]
    received_at: Mapped[dt.datetime]


class OutboxRow(Table):
    """A study that is to be announced to the workers: due, then sent. One row per study."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_due",
            "due_at",
            sqlite_where=text("sent_at IS NULL"),
            postgresql_where=text("sent_at IS NULL"),
        ),
    )

    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    due_at: Mapped[dt.datetime]
    sent_at: Mapped[dt.datetime | None]
    times_sent: Mapped[int] = mapped_column(default=0)


class CommitmentRow(Table):
    """A request for storage commitment, until its sender has taken our report and after."""

    __tablename__ = "commitments"
    __table_args__ = (
        Index(
            "ix_commitments_due",
            "due_at",
            sqlite_where=text("reported_at IS NULL"),
            postgresql_where=text("reported_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    calling_ae_title: Mapped[str]
    transaction_uid: Mapped[str] = mapped_column(index=True)
    instances: Mapped[str]
    """JSON: a list of pairs of SOP Class UID and SOP Instance UID."""
    duplicate: Mapped[bool]
    """Whether its transaction UID was in use for other instances."""
    requested_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    reported_at: Mapped[dt.datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
