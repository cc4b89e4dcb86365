"""Indexes on tables that are in use, for migrations."""

from __future__ import annotations

from typing import Any

from alembic import op


def build_index(name: str, table: str, columns: list[str], **options: Any) -> None:  # noqa: ANN401
    """Build an index on a table that was there before, while others write to the table.

    On PostgreSQL it is built concurrently, outside of a transaction: a migration that builds one
    does nothing else, so that it can be run again after it was cut off in the middle.

    Parameters
    ----------
    options
        As for Alembic's ``create_index``.
    """
    context = op.get_context()
    if context.dialect.name != "postgresql":
        op.create_index(name, table, columns, **options)
        return
    with context.autocommit_block():
        # Nobody queues behind this lock, so that it can be waited for.
        op.execute("SET lock_timeout = '5min'")
        try:
            # What a building that was cut off left is not used, and costs every write its time.
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **options)
        finally:
            op.execute("SET lock_timeout = '1s'")
