"""The database: opened once by a process, with the same promises on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from screening.errors import DependencyError, RecordsError

SCHEMA_REVISION = "0003"
"""The migration that this release needs; a test holds it against the newest one."""

# Below the time that senders wait for the answer to a C-STORE.
_BUSY_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0003, 0.01

# Any number will do, as long as every release takes the same one.
_MIGRATION_LOCK = 0x4E49474854


class Records:
    """An open database.

    Parameters
    ----------
    url
        SQLAlchemy URL of a SQLite file or of PostgreSQL.

    Raises
    ------
    DependencyError
        If the driver of this kind of database is not installed.
    RecordsError
        If a SQLite file's folder cannot be made.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = _open(url)
        except OSError as error:
            raise RecordsError(
                f"cannot make the database's folder: {error.strerror}; check NIGHTREAD_DATA_DIR"
            ) from None
        except ModuleNotFoundError as error:
            raise DependencyError(
                f"the database driver {error.name} is not installed: "
                "pip install 'nightread[postgres]'"
            ) from None
        sqlite = self.engine.dialect.name == "sqlite"
        self._turn = threading.Lock() if sqlite else None
        self._writer: Connection | None = None

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """Let the threads of a process queue for SQLite's only writer.

        Each would wait with a connection of its own otherwise, and ask again and again.
        """
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=_BUSY_SECONDS):
            raise RecordsError("the database is locked: does another program write to it?")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a transaction that writes: committed at the end, rolled back on an error.

        On SQLite it takes the write lock at once, so that a read followed by a write never meets
        a database that another process changed in between.

        Raises
        ------
        RecordsError
            If the database refuses or does not answer. The transaction did not happen.
        """
        with (
            _translated(),
            self._turn_to_write(),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            session.connection(execution_options={"writes": True})
            yield session
            session.commit()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes, as `begin`, without objects of the tables around it.

        For what is done for each image: the objects cost as much as the database.

        Raises
        ------
        RecordsError
            If the database refuses or does not answer. The transaction did not happen.
        """
        with (
            _translated(),
            self._turn_to_write(),
            self._writing() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Have a connection that writes: SQLite's only one is kept, since it is had by turns."""
        if self._turn is None:
            with self.engine.connect().execution_options(writes=True) as connection:
                yield connection
            return
        if self._writer is None:
            self._writer = self.engine.connect().execution_options(writes=True)
        try:
            yield self._writer
        except BaseException:
            self._close_writer()
            raise

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads and never waits for a writer.

        Raises
        ------
        RecordsError
            If the database refuses or does not answer.
        """
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Open a transaction beside which no other of this kind runs, to change the schema.

        PostgreSQL: an advisory lock, and a short wait for tables that are in use, so that a
        migration gives up rather than make every query queue behind it. SQLite: its write lock.

        Raises
        ------
        RecordsError
            If the database refuses or the lock cannot be had.
        """
        with (
            _translated(),
            self._turn_to_write(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = '30s'"))
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK}
                )
            yield connection

    def check_schema(self) -> None:
        """Refuse a database that this release would misread.

        Raises
        ------
        RecordsError
            If its schema is older or newer than `SCHEMA_REVISION`, or it does not answer.
        """
        with _translated(), self.engine.connect() as connection:
            found = None
            # Alembic's own reader of it would cost every process 11 MB.
            if inspect(connection).has_table("alembic_version"):
                found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found != SCHEMA_REVISION:
            raise RecordsError(
                f"the database is at schema {found or 'none'}, this release needs "
                f"{SCHEMA_REVISION}: run nightread migrate"
            )

    def close(self) -> None:
        """Close every connection."""
        self._close_writer()
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the driver said in one line, without the statement and its values."""
    try:
        yield
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        raise RecordsError(
            f"the database refused: {cause[0]}; check NIGHTREAD_DATABASE_URL and the server"
        ) from error
    except SQLAlchemyError as error:
        raise RecordsError(
            f"the database failed with {type(error).__name__}: check NIGHTREAD_DATABASE_URL and "
            "the server"
        ) from error


def _open(url: str) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        return _open_sqlite(url)
    # A connection that a restarted server dropped is noticed before it is used.
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=30,
        hide_parameters=True,
        connect_args={"connect_timeout": 5},
    )


def _open_sqlite(url: str) -> Engine:
    database = make_url(url).database
    if database:
        # Of its owner alone: there are patients in it.
        Path(database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=10,
        max_overflow=30,
        # The connection that wrote last has the pages at hand that the next writer needs.
        pool_use_lifo=True,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401
        # The driver would begin transactions by its own rules; `begin` below is ours.
        connection.isolation_level = None
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        # FULL: a committed row survives a loss of power, which 0x0000 promises.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            _begin_to_write(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_to_write(connection: Connection) -> None:
    """Take SQLite's write lock as soon as another process leaves it.

    SQLite itself looks again after 1, 2, 5, 10 and more milliseconds, of which it needs a fraction
    for a transaction of ours.
    """
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        deadline = time.monotonic() + _BUSY_SECONDS
        pause = _FIRST_PAUSE
        while time.monotonic() < deadline and not _begins(driver):
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # says what is wrong
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")


def _begins(driver: sqlite3.Connection) -> bool:
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers and the writer then never block each other.

    Two processes that switch at the same moment meet "database is locked" at once: SQLite does not
    wait here, whatever its timeout.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
