"""INSERT ... ON CONFLICT, which both databases have and SQLAlchemy keeps in two classes."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from screening.records.schema import Table


def insert_for(session: Session, table: type[Table]) -> postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, for the database behind ``session``.

    Typed as PostgreSQL's: SQLite's has the same methods, of which the common ones are used.
    """
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)  # type: ignore[return-value]
