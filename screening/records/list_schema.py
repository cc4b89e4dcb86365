"""The tables that the list is asked by, besides the studies themselves."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from screening.records.table import Table

# Ranges of words are compared byte by byte, whatever the database's language.
WORD = Text().with_variant(Text(collation="C"), "postgresql")


class StudyWordRow(Table):
    """A word by which a study is found in free text."""

    __tablename__ = "study_words"
    __table_args__ = (Index(None, "word", "study_row"),)

    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    word: Mapped[str] = mapped_column(WORD, primary_key=True)


class StudyReasonRow(Table):
    """A reason for which images of a study have no score, with the study's place in the list."""

    __tablename__ = "study_reasons"
    __table_args__ = (Index(None, "reason", "place", "study_row"),)

    study_row: Mapped[int] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32), primary_key=True)
    place: Mapped[int]
