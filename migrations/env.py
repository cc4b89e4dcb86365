"""What Alembic runs: the migrations, over the connection that `migrations.upgrade` opened."""

from __future__ import annotations

from alembic import context

from screening.records import (  # noqa: F401 - declare tables
    canary_schema,
    delivery_schema,
    desk_schema,
    identity_schema,
    keeping_schema,
    list_schema,
    model_schema,
    night_schema,
    result_schema,
    schema,
)
from screening.records.schema_version import NEWEST_TABLE, OLDEST_TABLE
from screening.records.table import Table


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        # SQLite cannot alter most things in place: a table is copied instead.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        version_table=NEWEST_TABLE,
        include_name=_is_described,
        # What one migration has locked is free before the next waits for a lock.
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _is_described(name: str | None, kind: str, _: object) -> bool:
    """Say whether a table of the database is one that the metadata describe."""
    return (name, kind) != (OLDEST_TABLE, "table")


_run()
