from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import migrations
from screening.errors import RecordsError
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
from screening.records.engine import SCHEMA_REVISION, Records
from screening.records.schema_version import NEWEST_TABLE, OLDEST_TABLE
from screening.records.table import Table


def test_the_release_needs_the_newest_migration() -> None:
    heads = ScriptDirectory.from_config(migrations.configuration()).get_heads()
    assert heads == [SCHEMA_REVISION]


def test_migrating_and_creating_from_the_metadata_give_the_same_tables(records: Records) -> None:
    with records.engine.connect() as connection:
        options = {
            "compare_type": True,
            "version_table": NEWEST_TABLE,
            # Of no use to this release, and so not described.
            "include_name": lambda name, kind, _: (name, kind) != (OLDEST_TABLE, "table"),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Table.metadata) == []


def test_both_ways_give_the_same_indexes_on_sqlite(tmp_path: Path) -> None:
    """The comparison above does not look at an index's condition; SQLite's catalogue tells it."""
    migrated = Records(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    migrations.upgrade(migrated)
    created = create_engine(f"sqlite:///{tmp_path / 'created.sqlite'}")
    Table.metadata.create_all(created)
    query = text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    found = []
    for engine in (migrated.engine, created):
        with engine.connect() as connection:
            found.append({name: " ".join(sql.split()) for name, sql in connection.execute(query)})
        engine.dispose()
    assert found[0] == found[1]


def test_a_database_without_a_schema_is_refused(database_url: str) -> None:
    empty = Records(database_url)
    with pytest.raises(RecordsError, match="nightread migrate"):
        empty.check_schema()
    migrations.upgrade(empty)
    empty.check_schema()
    empty.close()


def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    failures: list[BaseException] = []

    def upgrade() -> None:
        opened = Records(database_url)
        try:
            migrations.upgrade(opened)
            opened.check_schema()
        except BaseException as error:
            failures.append(error)
        finally:
            opened.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_migration_can_be_taken_back(records: Records) -> None:
    from alembic import command

    with records.exclusive() as connection:
        config = migrations.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with pytest.raises(RecordsError):
        records.check_schema()
    migrations.upgrade(records)
    records.check_schema()
