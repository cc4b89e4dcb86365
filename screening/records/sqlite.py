"""SQLite: how a file is opened, and how processes take turns to write to it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry

# Below the time that senders wait for the answer to a C-STORE.
BUSY_SECONDS = 10.0
"""How long a writer waits for another."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0003, 0.01


def open_sqlite(url: str) -> Engine:
    """Return the engine of a SQLite file, whose folder is made where it is missing.

    Raises
    ------
    OSError
        If it cannot be made.
    """
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
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
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
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        if driver.in_transaction:
            # Of a commit that failed: SQLAlchemy gives the connection back as it is.
            driver.rollback()
        if connection.get_execution_options().get("writes", False):
            _begin_to_write(connection, driver)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_to_write(connection: Connection, driver: sqlite3.Connection) -> None:
    """Take SQLite's write lock as soon as another process leaves it.

    SQLite itself looks again after 1, 2, 5, 10 and more milliseconds, of which it needs a fraction
    for a transaction of ours.
    """
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        deadline = time.monotonic() + BUSY_SECONDS
        pause = _FIRST_PAUSE
        while time.monotonic() < deadline and _is_locked(driver):
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # says what is wrong
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _is_locked(driver: sqlite3.Connection) -> bool:
    """Try to begin, and say whether another writer is in the way; nothing else is waited for."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return False


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers and the writer then never block each other.

    Two processes that switch at the same moment meet "database is locked" at once: SQLite does not
    wait here, whatever its timeout.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
