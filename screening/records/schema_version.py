"""At which schema the records are, and which releases can work with it.

Two tables say so. ``schema_version`` is Alembic's: the newest migration that was applied.
``alembic_version`` is what release 0.1.0 looks at, which starts on no schema but its own; it holds
the oldest schema whose release can work with this one. A migration that only adds leaves it alone:
the release before may then be started again beside the new one, or in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

OLDEST_REVISION = "0008"
"""The migration of the oldest release that works with our schema: release 0.1.0. To be
raised by the release that takes away what an older one uses, and said in its notes."""

NEWEST_TABLE, OLDEST_TABLE = "schema_version", "alembic_version"


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The schema of a database.

    Attributes
    ----------
    newest
        The last migration that was applied; ``None`` where there is none.
    oldest
        The oldest one whose release can work with it.
    """

    newest: str | None
    oldest: str | None

    def objection(self, needed: str) -> str | None:
        """Return why a release cannot work with it, and what to do; ``None`` if it can."""
        if self.newest is None or self.newest < needed:
            return (
                f"the database is at schema {self.newest or 'none'}, this release needs "
                f"{needed}: run nightread migrate"
            )
        if self.oldest is not None and self.oldest > needed:
            return (
                f"the database is at schema {self.newest}, which releases from schema "
                f"{self.oldest} on can work with, and this one is of {needed}: install the newer "
                "release, or restore a backup from before its migration"
            )
        return None


def read_version(connection: Connection) -> SchemaVersion:
    """Read at which schema a database is; of release 0.1.0 there is one table alone."""
    # Alembic's own reader of it would cost every process 11 MB.
    tables = inspect(connection)
    oldest = _number(connection, OLDEST_TABLE) if tables.has_table(OLDEST_TABLE) else None
    if not tables.has_table(NEWEST_TABLE):
        return SchemaVersion(oldest, oldest)
    return SchemaVersion(_number(connection, NEWEST_TABLE), oldest)


def adopt_version(connection: Connection) -> None:
    """Give a database the table that Alembic works with, from what release 0.1.0 left."""
    if inspect(connection).has_table(NEWEST_TABLE):
        return
    found = read_version(connection)
    _make(connection, NEWEST_TABLE)
    if found.newest is not None:
        _put(connection, NEWEST_TABLE, found.newest)


def note_oldest(connection: Connection, revision: str = OLDEST_REVISION) -> None:
    """Write down the oldest schema whose release can work with this one."""
    if not inspect(connection).has_table(OLDEST_TABLE):
        _make(connection, OLDEST_TABLE)
    if _number(connection, OLDEST_TABLE) != revision:
        connection.execute(text(f"DELETE FROM {OLDEST_TABLE}"))  # noqa: S608
        _put(connection, OLDEST_TABLE, revision)


# The names of the tables below are the two above.
def _number(connection: Connection, table: str) -> str | None:
    found = connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608
    return None if found is None else str(found)


def _make(connection: Connection, table: str) -> None:
    # As Alembic makes it.
    connection.execute(
        text(
            f"CREATE TABLE {table} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {table}_pkc PRIMARY KEY (version_num))"
        )
    )


def _put(connection: Connection, table: str, revision: str) -> None:
    statement = text(f"INSERT INTO {table} (version_num) VALUES (:revision)")  # noqa: S608
    connection.execute(statement, {"revision": revision})
