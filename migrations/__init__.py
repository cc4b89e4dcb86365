"""The schema's history: Alembic migrations, a package so that they travel in the wheel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from screening.errors import RecordsError
from screening.records.engine import Records
from screening.records.schema_version import adopt_version, note_oldest, read_version

# Of PostgreSQL: lock_not_available and deadlock_detected.
_IN_USE = frozenset({"55P03", "40P01"})
_PAUSE_SECONDS = 2.0

Say = Callable[[str], None]


def upgrade(
    records: Records,
    say: Say = lambda _: None,
    *,
    config: Config | None = None,
    patience_seconds: float = 300.0,
) -> None:
    """Bring a database to the newest schema; one that is there already, or beyond, is left alone.

    It is safe while the release before runs on the same database. Two processes may migrate at
    once: the second waits for the first and finds nothing to do.

    Parameters
    ----------
    say
        Takes what is waited for, as a sentence for the operator.
    config
        Where the migrations are; by default ours.
    patience_seconds
        For how long a table that others use is asked for. On SQLite nothing is waited for but its
        write lock.

    Raises
    ------
    RecordsError
        If the database refuses, or others use a table for longer.
    """
    config = config or configuration()
    head = ScriptDirectory.from_config(config).get_current_head() or ""
    with records.exclusive() as connection:
        with _step(connection):
            adopt_version(connection)
            is_newer = (read_version(connection).newest or "") > head
        if is_newer:
            return
        config.attributes["connection"] = connection
        deadline = time.monotonic() + patience_seconds
        while not _apply(connection, config):
            holder = _holder(connection)
            if time.monotonic() > deadline:
                raise RecordsError(
                    f"a table was in use for {patience_seconds:.0f} s, and the migration gave up: "
                    f"{holder}. End that, and run nightread migrate again; it goes on where it "
                    "stopped"
                )
            say(f"a table is in use and is asked for again: {holder}")
            # Those who queued behind the attempt have their turn.
            time.sleep(_PAUSE_SECONDS)
        with _step(connection):
            note_oldest(connection)


def configuration() -> Config:
    """Return Alembic's configuration, made in code: there is no ini file to find."""
    config = Config()
    config.set_main_option("script_location", "migrations:")
    return config


def _apply(connection: Connection, config: Config) -> bool:
    """Apply what is lacking, and say whether all is; false if somebody uses a table."""
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _IN_USE:
            raise
        connection.rollback()
        return False
    return True


@contextmanager
def _step(connection: Connection) -> Iterator[None]:
    """Do something in a transaction: in that which is open, as SQLite's is, or in its own."""
    if connection.in_transaction():
        yield
        return
    with connection.begin():
        yield


def _holder(connection: Connection) -> str:
    """Name the oldest transaction of somebody else, without what it asked: that may be a name."""
    with _step(connection):
        found = connection.execute(
            text(
                "SELECT pid, state, extract(epoch FROM now() - xact_start) FROM pg_stat_activity "
                "WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() "
                "AND datname = current_database() ORDER BY xact_start LIMIT 1"
            )
        ).first()
    if found is None:
        return "nobody has a transaction open by now"
    pid, state, seconds = found
    return (
        f"process {pid} of PostgreSQL ({state}) has had a transaction open for {seconds:.0f} s "
        f"(SELECT pg_terminate_backend({pid}) ends it)"
    )
