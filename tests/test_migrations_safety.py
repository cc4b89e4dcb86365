"""Migrations run while the release before works: they only add, and hold nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from filed_cases import file_study
from later_release import later_release
from migration_rules import apply, faults, statements_of, tables_of
from previous_release import contents

import migrations
from screening.domain.prediction import Prediction
from screening.errors import RecordsError
from screening.records.engine import SCHEMA_REVISION, Records
from screening.records.schema_version import OLDEST_REVISION, SchemaVersion, note_oldest


def head_before() -> str:
    """Return the newest migration of the release before."""
    names = [name.rpartition("/")[2] for name in contents() if "migrations/versions/0" in name]
    return max(names)[:4]


@pytest.fixture
def empty(database_url: str) -> Iterator[Records]:
    opened = Records(database_url)
    yield opened
    opened.close()


def test_migrations_since_the_release_before_only_add(empty: Records, tmp_path: Path) -> None:
    config, start = later_release(tmp_path / "later"), head_before()
    apply(empty, config, start)
    before = tables_of(empty)
    assert "instances" in before
    looked_at = []
    for revision, statements in statements_of(empty, config, start):
        assert len(statements) > 1
        assert faults(statements, before, empty.engine.dialect.name) == [], revision
        looked_at.append(revision)
    assert looked_at[-2:] == ["9998", "9999"]


def test_the_rule_finds_what_the_desk_once_did(empty: Records) -> None:
    """Migration 0005 was written before the first release: it fills and rewrites a table."""
    config = migrations.configuration()
    apply(empty, config, "0004")
    before = tables_of(empty)
    revision, statements = next(iter(statements_of(empty, config, "0004")))
    found = " ".join(faults(statements, before, empty.engine.dialect.name))
    assert revision == "0005"
    assert "uses: UPDATE studies" in found
    assert "uses: DROP INDEX" in found
    assert ("writes the whole table anew" in found) == (empty.engine.dialect.name == "postgresql")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE scores",
        "ALTER TABLE scores DROP COLUMN verdict",
        "ALTER TABLE scores RENAME COLUMN verdict TO word",
        "ALTER TABLE scores ALTER COLUMN verdict TYPE TEXT",
        "ALTER TABLE scores ALTER COLUMN hottest_x SET NOT NULL",
        "ALTER TABLE scores ADD COLUMN word TEXT NOT NULL",
        "ALTER TABLE scores ADD CONSTRAINT one UNIQUE (instance_row)",
        "CREATE UNIQUE INDEX CONCURRENTLY one ON scores (instance_row)",
        "CREATE INDEX one ON scores (verdict)",
        "DROP INDEX CONCURRENTLY IF EXISTS one",
        "UPDATE scores SET verdict = 'clear'",
        "DELETE FROM scores",
        "TRUNCATE later",
        "CREATE TRIGGER guard BEFORE UPDATE ON scores EXECUTE FUNCTION refuse()",
        "INSERT INTO later VALUES (1); DROP TABLE scores",
    ],
)
def test_what_does_more_than_add_is_found(statement: str) -> None:
    assert faults(statement.split("; "), {"scores"}, "postgresql")


def test_an_index_is_built_concurrently_in_a_migration_of_its_own() -> None:
    built = ["CREATE INDEX CONCURRENTLY one ON scores (verdict)"]
    assert faults(built, {"scores"}, "postgresql") == []
    assert faults([*built, "ALTER TABLE scores ADD COLUMN word TEXT"], {"scores"}, "postgresql")


def test_a_release_starts_on_a_newer_schema_that_only_adds(
    records: Records, tmp_path: Path
) -> None:
    migrations.upgrade(records, config=later_release(tmp_path / "later"))
    records.check_schema()
    migrations.upgrade(records)
    assert records.schema() == SchemaVersion("9999", OLDEST_REVISION)
    file_study(records, "1.1", Prediction(0.9))


def test_a_release_refuses_a_schema_that_is_too_new_or_too_old_for_it(records: Records) -> None:
    with records.write() as connection:
        note_oldest(connection, "9000")
    with pytest.raises(RecordsError, match="install the newer release"):
        records.check_schema()
    assert SchemaVersion("0012", "0008").objection("0008") is None
    assert SchemaVersion("0012", "0008").objection("0012") is None
    for found in (SchemaVersion("0011", "0008"), SchemaVersion(None, None)):
        assert "run nightread migrate" in (found.objection("0012") or "")
    assert OLDEST_REVISION <= head_before() <= SCHEMA_REVISION, "the release before can go on"


def test_an_index_whose_building_was_cut_off_is_built_again(
    records: Records, tmp_path: Path
) -> None:
    config = later_release(tmp_path / "later")
    apply(records, config, "9998")
    if records.engine.dialect.name == "postgresql":
        with records.write() as connection:
            connection.exec_driver_sql("CREATE INDEX ix_instances_later_word ON instances (id)")
    migrations.upgrade(records, config=config)
    with records.read() as session:
        from sqlalchemy import inspect

        (index,) = [
            each
            for each in inspect(session.connection()).get_indexes("instances")
            if each["name"] == "ix_instances_later_word"
        ]
    assert index["column_names"] == ["later_word"]


@pytest.fixture
def postgresql_records(postgresql_url: str) -> Iterator[Records]:
    opened = Records(postgresql_url.replace("postgresql://", "postgresql+psycopg://"))
    migrations.upgrade(opened)
    yield opened
    opened.close()


def test_a_migration_that_waits_for_a_table_holds_nobody_up(
    postgresql_url: str, postgresql_records: Records, tmp_path: Path
) -> None:
    records, said, seconds = postgresql_records, [], []
    config = later_release(tmp_path / "later")
    with psycopg.connect(postgresql_url) as reader:
        # A report that somebody left open: who alters the table waits for it, and all behind.
        reader.execute("SELECT count(*) FROM instances")
        migration = threading.Thread(
            target=migrations.upgrade, args=(records, said.append), kwargs={"config": config}
        )
        migration.start()
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            began = time.monotonic()
            file_study(records, f"1.{began}", Prediction(0.9))
            seconds.append(time.monotonic() - began)
        assert migration.is_alive()
    migration.join()
    assert records.schema().newest == "9999"
    assert max(seconds) < 2.5, "one second for the lock, and some for the machine"
    assert len(seconds) > 10
    assert "is in use" in said[0]
    assert "idle in transaction" in said[0]
    file_study(records, "1.1", Prediction(0.9))


def test_a_migration_gives_up_and_goes_on_later(
    postgresql_url: str, postgresql_records: Records, tmp_path: Path
) -> None:
    records, config = postgresql_records, later_release(tmp_path / "later")
    before = records.schema()
    with psycopg.connect(postgresql_url) as reader:
        reader.execute("SELECT count(*) FROM instances")
        with pytest.raises(RecordsError, match="run nightread migrate again") as refused:
            migrations.upgrade(records, config=config, patience_seconds=1)
        assert f"process {reader.info.backend_pid} of PostgreSQL" in str(refused.value)
        assert records.schema() == before
        file_study(records, "1.1", Prediction(0.9))
    migrations.upgrade(records, config=config, patience_seconds=1)
    assert records.schema().newest == "9999"
