"""How many rows of what there are: numbers and our own words, nothing that a sender wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, inspect, select, table, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from screening.records.delivery_schema import DeliveryRow
from screening.records.desk_schema import AuditRow, UserRow
from screening.records.night_schema import BatchRow, BatchStudyRow
from screening.records.result_schema import ExclusionRow, ScoreRow
from screening.records.schema import AssociationRow, InstanceRow, StudyRow

# What holds one word of a closed list: what else stands there is counted and not named.
_WORDS: tuple[InstrumentedAttribute[str], ...] = (
    AssociationRow.outcome,
    AuditRow.event,
    BatchRow.state,
    BatchStudyRow.state,
    DeliveryRow.state,
    ExclusionRow.reason,
    InstanceRow.state,
    ScoreRow.verdict,
    StudyRow.verdict,
    UserRow.role,
)
_WORD = re.compile(r"[a-z_]{1,32}")
# What went wrong, in words; of the newest of each kind that many are looked at.
_ERRORS: tuple[InstrumentedAttribute[str | None], ...] = (
    AssociationRow.last_refusal,
    AssociationRow.explanation,
    BatchRow.last_error,
    BatchStudyRow.last_error,
    DeliveryRow.last_error,
    InstanceRow.last_error,
)
_NEWEST = 1000


@dataclass(frozen=True, slots=True)
class Census:
    """What is on record, counted.

    Attributes
    ----------
    tables
        Rows of each table.
    words
        Rows by each word of a closed list, by ``table.column``.
    waiting
        How often images that wait were tried, by the number of attempts.
    size_bytes
        Of the database.
    server
        Its kind and version.
    """

    tables: Mapping[str, int]
    words: Mapping[str, Mapping[str, int]]
    waiting: Mapping[str, int]
    size_bytes: int
    server: str


def take_census(session: Session) -> Census:
    """Count what is on record, whichever release's tables there are."""
    there = inspect(session.connection())
    names = sorted(name for name in there.get_table_names() if _WORD.fullmatch(name))
    tables = {name: _count(session, name) for name in names}
    words = {
        _place(column): _by_word(session, column)
        for column in _WORDS
        if column.class_.__tablename__ in tables
    }
    waits = InstanceRow.state == "waiting"
    attempts = session.execute(
        select(InstanceRow.attempts, func.count()).where(waits).group_by(InstanceRow.attempts)
    )
    return Census(
        tables,
        words,
        {str(number): count for number, count in attempts},
        _size(session),
        _server(session),
    )


def newest_errors(session: Session) -> dict[str, list[str]]:
    """Return what went wrong last, by ``table.column``, as it was said: it may name anything."""
    found: dict[str, list[str]] = {}
    for column in _ERRORS:
        query = (
            select(column)
            .where(column.is_not(None))
            .order_by(column.class_.id.desc())
            .limit(_NEWEST)
        )
        found[_place(column)] = [said for said in session.scalars(query) if said]
    failed = (
        select(ExclusionRow.detail)
        .where(ExclusionRow.reason == "error")
        .order_by(ExclusionRow.instance_row.desc())
        .limit(_NEWEST)
    )
    return found | {"exclusions.detail": list(session.scalars(failed))}


def stored_by_title(session: Session) -> dict[str, dict[str, int]]:
    """Return associations by outcome of each title that an image of was kept, and of all others."""
    stored: ColumnElement[int] = func.sum(AssociationRow.stored)
    known = set(
        session.scalars(
            select(AssociationRow.calling_ae_title)
            .group_by(AssociationRow.calling_ae_title)
            .having(stored > 0)
        )
    )
    rows = session.execute(
        select(AssociationRow.calling_ae_title, AssociationRow.outcome, func.count()).group_by(
            AssociationRow.calling_ae_title, AssociationRow.outcome
        )
    )
    found: dict[str, dict[str, int]] = {}
    for title, outcome, count in rows:
        # Who was never let in may call themselves anything.
        counts = found.setdefault(title if title in known else "(others)", {})
        word = _known(outcome)
        counts[word] = counts.get(word, 0) + count
    return found


def _count(session: Session, name: str) -> int:
    return session.scalar(select(func.count()).select_from(table(name))) or 0


def _by_word(session: Session, column: InstrumentedAttribute[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word, count in session.execute(select(column, func.count()).group_by(column)):
        found[_known(word)] = found.get(_known(word), 0) + count
    return found


def _place(column: InstrumentedAttribute[Any]) -> str:
    return f"{column.class_.__tablename__}.{column.key}"


def _known(word: object) -> str:
    return str(word) if word is None or _WORD.fullmatch(str(word)) else "(another)"


def _size(session: Session) -> int:
    if session.get_bind().dialect.name == "sqlite":
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    else:
        query = "SELECT pg_database_size(current_database())"
    return int(session.scalar(text(query)) or 0)


def _server(session: Session) -> str:
    kind = session.get_bind().dialect.name
    query = "SELECT sqlite_version()" if kind == "sqlite" else "SHOW server_version"
    return f"{kind} {session.scalar(text(query))}"
