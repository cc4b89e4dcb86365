"""The database: opened once by a process, with the same promises on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from screening.errors import DeadlockError, DependencyError, RecordsError, UnrecordableError
from screening.records.migration_lock import take_migration_lock
from screening.records.postgresql import open_postgresql
from screening.records.schema_version import SchemaVersion, read_version
from screening.records.sqlite import BUSY_SECONDS, open_sqlite

SCHEMA_REVISION = "0012"
"""The migration that this release needs; a test holds it against the newest one."""

# Of PostgreSQL: serialization_failure and deadlock_detected.
_GIVEN_UP = frozenset({"40001", "40P01"})
_ATTEMPTS = 5

_Result = TypeVar("_Result")


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
        if not self._turn.acquire(timeout=BUSY_SECONDS):
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
            connection.begin() as transaction,
        ):
            yield connection
            # Unlike the end of the block it fails if somebody has ended the transaction meanwhile.
            transaction.commit()

    def repeat(self, work: Callable[[Session], _Result]) -> _Result:
        """Do work in a transaction, and again where another and it waited for each other.

        Parameters
        ----------
        work
            May be called several times; only the last of them counts.

        Raises
        ------
        RecordsError
            As `begin`, or if it happened several times.
        """

        def once() -> _Result:
            with self.begin() as session:
                return work(session)

        return repeat(once)

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
        """Have a connection beside which no other of this kind is, to change the schema.

        SQLite: in a transaction that holds its write lock. PostgreSQL: with an advisory lock of its
        session and outside of a transaction, so that the tables that one step has locked are free
        again before the next; a table that is in use is waited for one second, since every query
        queues behind who waits.

        Raises
        ------
        RecordsError
            If the database refuses or the lock cannot be had.
        """
        with (
            _translated(),
            self._turn_to_write(),
            self.engine.connect().execution_options(writes=True) as connection,
        ):
            if connection.dialect.name == "sqlite":
                with connection.begin():
                    yield connection
                return
            try:
                connection.execute(text("SET lock_timeout = '1s'"))
                take_migration_lock(connection)
                connection.commit()
                yield connection
            finally:
                # Not for the pool: what was set and locked goes with the connection.
                connection.invalidate()

    def schema(self) -> SchemaVersion:
        """Return at which schema the database is.

        Raises
        ------
        RecordsError
            If it does not answer.
        """
        with _translated(), self.engine.connect() as connection:
            return read_version(connection)

    def check_schema(self) -> None:
        """Refuse a database that this release would misread.

        Raises
        ------
        RecordsError
            If its schema is older than `SCHEMA_REVISION`, or newer and no longer for this release,
            or it does not answer.
        """
        objection = self.schema().objection(SCHEMA_REVISION)
        if objection is not None:
            raise RecordsError(objection)

    def clock(self) -> dt.datetime:
        """Return the time of the database's host; UTC.

        Raises
        ------
        RecordsError
            If it does not answer.
        """
        with _translated(), self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                return dt.datetime.now(dt.UTC)  # a file on this host
            found = connection.scalar(text("SELECT clock_timestamp()"))
        assert isinstance(found, dt.datetime)
        return found

    def close(self) -> None:
        """Close every connection, but for one that is writing: it ends with its transaction."""
        with suppress(RecordsError), self._turn_to_write():
            self._close_writer()
        self.engine.dispose()


def repeat(transaction: Callable[[], _Result]) -> _Result:
    """Do a transaction again, a few times, where another and it waited for each other.

    Raises
    ------
    DeadlockError
        If that happened each time.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(DeadlockError):
            return transaction()
    return transaction()


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the driver said in one line, without the statement and its values."""
    try:
        yield
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        if "decode" in cause[0].lower():
            # SQLite quotes the text that it could not read: a patient's name, perhaps.
            cause = ["a text in it is damaged"]
        raise _kind(error)(
            f"the database refused: {cause[0]}; check NIGHTREAD_DATABASE_URL and the server"
        ) from error
    except SQLAlchemyError as error:
        raise RecordsError(
            f"the database failed with {type(error).__name__}: check NIGHTREAD_DATABASE_URL and "
            "the server"
        ) from error


def _kind(error: DBAPIError) -> type[RecordsError]:
    if getattr(error.orig, "sqlstate", None) in _GIVEN_UP:
        return DeadlockError
    return UnrecordableError if isinstance(error, DataError | IntegrityError) else RecordsError


def _open(url: str) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        return open_sqlite(url)
    return open_postgresql(url)
