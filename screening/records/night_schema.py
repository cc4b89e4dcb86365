"""The tables of the night: batches, with the studies and files that belong to them."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table


class BatchRow(Table):
    """A batch: what was asked for, and whether anybody works on it."""

    __tablename__ = "batches"
    # A night is begun once, whoever begins it and however often.
    __table_args__ = (UniqueConstraint("schedule", "night"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    """Which PACS it is fetched from, by the name in the file of sources; ``folder`` for files."""
    question: Mapped[str]
    """JSON: what was asked of it."""
    schedule: Mapped[str | None]
    """By which entry it was begun; empty where a person did."""
    night: Mapped[dt.date | None] = mapped_column(index=True)
    """The date on which its window of hours began."""
    state: Mapped[str] = mapped_column(String(16), index=True)
    begun_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    """When the next step is to be tried: later after an error, or while the PACS rests."""
    asked_at: Mapped[dt.datetime | None]
    """When the PACS last said which studies it has; empty before the first answer."""
    rounds: Mapped[int] = mapped_column(default=0)
    """How often it has said so: at the end it is asked once more, and once again after news."""
    arrived: Mapped[int] = mapped_column(default=0)
    """Images that came in this round."""
    ended_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]


class BatchStudyRow(Table):
    """A study of a batch: what the PACS says that it has, and what came of it."""

    __tablename__ = "batch_studies"
    __table_args__ = (
        UniqueConstraint("batch_row", "study_instance_uid"),
        Index(
            "ix_batch_studies_due",
            "batch_row",
            "due_at",
            sqlite_where=text("state = 'planned'"),
            postgresql_where=text("state = 'planned'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_row: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    accession_number: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    """In vain, one after the other."""
    due_at: Mapped[dt.datetime]
    expected: Mapped[int | None]
    """Images that the PACS has of the kinds that were asked for; empty before it has said."""
    here: Mapped[int | None]
    """How many of these are here."""
    arrived: Mapped[int] = mapped_column(default=0)
    """Images that came with the batch."""
    missing: Mapped[str] = mapped_column(default="[]")
    """JSON: SOP Instance UIDs of those that are not here, as far as they could be named."""
    settled_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]


class BatchFileRow(Table):
    """A file of a batch that was looked at, and what became of it."""

    __tablename__ = "batch_files"
    __table_args__ = (UniqueConstraint("batch_row", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_row: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    path: Mapped[str]
    sop_instance_uid: Mapped[str | None] = mapped_column(index=True)
    """Of what came in; empty where nothing did."""
    why: Mapped[str | None]
    """Nothing came in."""
    lost: Mapped[bool]
    """Whether it may hold an image all the same."""


class MorningRow(Table):
    """A morning on which somebody gets the report of the night."""

    __tablename__ = "mornings"
    __table_args__ = (UniqueConstraint("name", "day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    """Of the entry by which they do."""
    day: Mapped[dt.date]
    due_at: Mapped[dt.datetime]
    """When it is tried, again after a failure."""
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
