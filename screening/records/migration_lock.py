"""The lock that one process has that migrates PostgreSQL."""

from __future__ import annotations

import time

from sqlalchemy import Connection, text

from screening.errors import RecordsError

# Any number will do, as long as every release takes the same one.
_MIGRATION_LOCK = 0x4E49474854
_MIGRATION_SECONDS = 600.0


def take_migration_lock(connection: Connection) -> None:
    """Take the lock once nobody else has it.

    It is asked for and not waited for: an index that is built concurrently waits for every
    statement that is under way, that of who waits for this lock among them (PostgreSQL, CREATE
    INDEX, Building Indexes Concurrently).

    Raises
    ------
    RecordsError
        If somebody has it for too long.
    """
    deadline = time.monotonic() + _MIGRATION_SECONDS
    query = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.scalar(query, {"key": _MIGRATION_LOCK}):
        connection.commit()
        if time.monotonic() > deadline:
            raise RecordsError(
                "another process has been migrating the database for ten minutes: wait for it, or "
                "end it, and run nightread migrate again"
            )
        time.sleep(0.2)
