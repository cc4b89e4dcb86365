"""The tables of keeping and forgetting: whose pixels went, and whose must stay."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class RemovalRow(Table):
    """A file that a rule removes from the archive; its images, scores and reviews stay on record.

    By its digest, since one file may be behind several rows: it goes for all of them or for none.
    """

    __tablename__ = "removals"
    __table_args__ = (
        Index(
            "ix_removals_unfinished",
            "digest",
            sqlite_where=text("removed_at IS NULL AND returned_at IS NULL"),
            postgresql_where=text("removed_at IS NULL AND returned_at IS NULL"),
        ),
    )

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    rule: Mapped[str]
    policy: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the file of rules."""
    size_bytes: Mapped[int]
    decided_at: Mapped[dt.datetime]
    """From then on nobody opens the file."""
    removed_at: Mapped[dt.datetime | None]
    """Empty as long as the file may be there still."""
    returned_at: Mapped[dt.datetime | None]
    """When the same bytes came again: the file is there, and its time begins anew."""


class HoldRow(Table):
    """A study whose pixels stay whatever the rules say, until somebody releases it."""

    __tablename__ = "holds"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    why: Mapped[str]
    placed_by: Mapped[str]
    placed_at: Mapped[dt.datetime]
    released_by: Mapped[str | None]
    released_at: Mapped[dt.datetime | None]
