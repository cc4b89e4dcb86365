"""INSERT ... ON CONFLICT, which both databases have and SQLAlchemy keeps in two classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection, Executable, TableClause
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from screening.records.table import Table

Insert = Callable[[type[Table]], postgresql.Insert]
"""Makes an INSERT for one of the databases."""

_Statement = TypeVar("_Statement", bound=Executable)


def _insert_sqlite(table: type[Table]) -> postgresql.Insert:
    # Typed as PostgreSQL's: SQLite's has the same methods, of which the common ones are used.
    return sqlite.insert(cast(TableClause, table.__table__))  # type: ignore[return-value]


def _insert_postgresql(table: type[Table]) -> postgresql.Insert:
    return postgresql.insert(cast(TableClause, table.__table__))


_INSERTS: dict[str, Insert] = {"postgresql": _insert_postgresql, "sqlite": _insert_sqlite}


def insert_for(session: Session, table: type[Table]) -> postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, for the database behind ``session``."""
    return _INSERTS[session.get_bind().dialect.name](table)


def built_once(build: Callable[[Insert], _Statement]) -> Callable[[Connection], _Statement]:
    """Let a statement with named parameters be built once for each kind of database.

    Building one takes SQLAlchemy as long as the database takes to run it, several times for each
    image that comes in.
    """
    built: dict[str, _Statement] = {}

    def of(connection: Connection) -> _Statement:
        name = connection.dialect.name
        if name not in built:
            built[name] = build(_INSERTS[name])
        return built[name]

    return of
