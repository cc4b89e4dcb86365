"""The tables of the desk: who may look, what they said, and a record of all they did."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class UserRow(Table):
    """Somebody with an account; never deleted, since reviews and the audit name them."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str | None]
    """By argon2id; empty for who signs in by a link or elsewhere."""
    created_at: Mapped[dt.datetime]
    disabled_at: Mapped[dt.datetime | None]


class WebSessionRow(Table):
    """Somebody signed in at a browser."""

    __tablename__ = "web_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret in the cookie: who reads the table cannot sign in with it."""
    user_row: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    form_secret: Mapped[str] = mapped_column(String(64))
    """What a form must repeat, so that no other site can send it."""
    address: Mapped[str]
    opened_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class SignInLinkRow(Table):
    """A link that signs somebody in, once."""

    __tablename__ = "sign_in_links"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_row: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class TokenRow(Table):
    """A machine's key to the REST interface."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class SignInFailureRow(Table):
    """A sign-in that did not succeed: too many in a row and the door stays shut for a while."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "name", "at"), Index(None, "address", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    at: Mapped[dt.datetime]


class ReviewRow(Table):
    """One review of a study or of one of its images; a later one never replaces it."""

    __tablename__ = "reviews"
    __table_args__ = (Index(None, "study_row", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    instance_row: Mapped[int | None] = mapped_column(ForeignKey("instances.id"), index=True)
    """Empty where the study is meant."""
    user_row: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    opinion: Mapped[str | None] = mapped_column(String(16))
    """Empty where the user takes the review before back."""
    finding: Mapped[str | None] = mapped_column(String(32))
    note: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(16))
    """Of the study, as the reviewer saw it."""
    revision: Mapped[int]
    at: Mapped[dt.datetime] = mapped_column(index=True)


class OperatingPointsRow(Table):
    """Operating points that were set here for a model: the newest revision is in force.

    Revision 0 is the model's own, as they were when the first others were set.
    """

    __tablename__ = "operating_points"
    __table_args__ = (
        UniqueConstraint(
            "model_name",
            "model_version",
            "model_digest",
            "revision",
            name="uq_operating_points_revision",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    model_name: Mapped[str]
    model_version: Mapped[str]
    model_digest: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int]
    high_sensitivity: Mapped[float]
    high_specificity: Mapped[float]
    note: Mapped[str]
    """Why."""
    set_by: Mapped[str]
    set_at: Mapped[dt.datetime]


class AuditRow(Table):
    """Who did what, to which study, when and from where: chained, so that none can go missing."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    actor: Mapped[str]
    address: Mapped[str]
    event: Mapped[str] = mapped_column(String(32))
    study_instance_uid: Mapped[str | None] = mapped_column(index=True)
    detail: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the digest of the row before and this row's other columns."""


class AuditRelayRow(Table):
    """How far the audit has been sent to the hospital's audit repository, and who is at it."""

    __tablename__ = "audit_relay"

    id: Mapped[int] = mapped_column(primary_key=True)
    """There is one row, 1."""
    sent: Mapped[int] = mapped_column(default=0)
    """Number of the last entry that was sent; 0 before the first."""
    sent_at: Mapped[dt.datetime | None]
    held_by: Mapped[str | None]
    held_until: Mapped[dt.datetime | None]
    """Until then nobody else sends: two at once would mix up the order."""
