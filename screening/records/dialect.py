"""INSERT ... ON CONFLICT, which both databases have and SQLAlchemy keeps in two classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from sqlalchemy import Dialect, TableClause
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from screening.records.table import Table

Insert = Callable[[type[Table]], postgresql.Insert]
"""Makes an INSERT for one of the databases."""


def _insert_sqlite(table: type[Table]) -> postgresql.Insert:
    # Typed as PostgreSQL's: SQLite's has the same methods, of which the common ones are used.
    return sqlite.insert(cast(TableClause, table.__table__))  # type: ignore[return-value]


def _insert_postgresql(table: type[Table]) -> postgresql.Insert:
    return postgresql.insert(cast(TableClause, table.__table__))


_INSERTS: dict[str, Insert] = {"postgresql": _insert_postgresql, "sqlite": _insert_sqlite}


def insert_for(session: Session, table: type[Table]) -> postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, for the database behind ``session``."""
    return insert_of(session.get_bind().dialect)(table)


def insert_of(dialect: Dialect) -> Insert:
    """Return what makes INSERTs for a kind of database."""
    return _INSERTS[dialect.name]
