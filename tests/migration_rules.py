"""What a migration may do while the release before works on the same database.

It may only add what that release does not miss and cannot trip over, and on PostgreSQL it may lock
no table of that release for longer than a moment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect

from screening.records.engine import Records
from screening.records.schema_version import NEWEST_TABLE

# Reads, and what a connection says of itself.
_HARMLESS = re.compile(r"(SELECT|SET|SHOW|PRAGMA|BEGIN|COMMIT|ROLLBACK|CREATE TABLE) ")
_OF_ALEMBIC = re.compile(rf"(INSERT INTO|UPDATE|DELETE FROM) {NEWEST_TABLE} ")
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?(\S+) ON (\w+)")
_DROPPED_INDEX = re.compile(r"DROP INDEX CONCURRENTLY IF EXISTS (\S+)")
_COLUMN = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (.*)")
_FOREIGN_KEY = re.compile(r"ALTER TABLE (\w+) ADD CONSTRAINT \S+ FOREIGN KEY")
_ROWS = re.compile(r"INSERT INTO (\w+)")
_OTHER = re.compile(r"(?:UPDATE|DELETE FROM|ALTER TABLE|DROP TABLE|CREATE TRIGGER .* ON) (\w+)")
_FUNCTION = re.compile(r"CREATE (OR REPLACE )?FUNCTION ")


def faults(statements: list[str], before: Collection[str], dialect: str) -> list[str]:
    """Return what a migration does that it must not, a sentence each.

    Parameters
    ----------
    statements
        All that it runs.
    before
        The tables of the release before.
    """
    words = [" ".join(each.split()) for each in statements]
    found = [fault for each in words if (fault := _fault(each, before, dialect))]
    concurrent = [each for each in words if " CONCURRENTLY " in each]
    indexes = {match[3] for each in words if (match := _INDEX.match(each))}
    for each in concurrent:
        if (dropped := _DROPPED_INDEX.match(each)) and dropped[1] not in indexes:
            found.append(f"takes an index away: {each}")
    others = [each for each in words if not _is_of_no_consequence(each) and each not in concurrent]
    if concurrent and others:
        found.append(f"builds an index concurrently and does more: {others[0]}")
    return found


def _is_of_no_consequence(words: str) -> bool:
    harmless = _HARMLESS.match(words) and not words.startswith("CREATE")
    return bool(harmless or _OF_ALEMBIC.match(words))


def _fault(words: str, before: Collection[str], dialect: str) -> str | None:
    if _HARMLESS.match(words) or _OF_ALEMBIC.match(words) or _FUNCTION.match(words):
        return None
    if match := _INDEX.match(words):
        return _fault_of_index(match, words, before, dialect)
    if _DROPPED_INDEX.match(words):
        return None  # looked at with the others
    if (match := _COLUMN.match(words)) and match[1] in before:
        if "NOT NULL" in words and "DEFAULT" not in words:
            return f"the release before cannot fill this column, give it a server_default: {words}"
        if "GENERATED ALWAYS" in words and dialect == "postgresql":
            return f"writes the whole table anew, under a lock: {words}"
        return None
    if _FOREIGN_KEY.match(words) or _ROWS.match(words):
        return None
    if (match := _OTHER.match(words)) and match[1] not in before:
        return None
    return f"does more than add to what the release before uses: {words}"


def _fault_of_index(
    match: re.Match[str], words: str, before: Collection[str], dialect: str
) -> str | None:
    unique, concurrently, _, table = match.groups()
    if table not in before:
        return None
    if unique:
        return f"the release before may write what this refuses: {words}"
    if dialect == "postgresql" and not concurrently:
        return f"nobody can write while it is built, use migrations.indexes.build_index: {words}"
    return None


def statements_of(records: Records, config: Config, start: str) -> Iterator[tuple[str, list[str]]]:
    """Apply the migrations after one, and yield of each what it runs.

    Yields
    ------
    str, list of str
        Its revision and its statements.
    """
    said: list[str] = []

    @event.listens_for(records.engine, "before_cursor_execute")
    def keep(*arguments: object) -> None:
        said.append(str(arguments[2]))

    script = ScriptDirectory.from_config(config)
    later = list(script.iterate_revisions("head", start))[::-1]
    for revision in (start, *(each.revision for each in later)):
        said.clear()
        apply(records, config, revision)
        if revision != start:
            yield revision, [each for each in said if "pg_catalog" not in each]


def apply(records: Records, config: Config, revision: str) -> None:
    """Bring a database to one revision."""
    with records.exclusive() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tables_of(records: Records) -> set[str]:
    with records.read() as session:
        return set(inspect(session.connection()).get_table_names())
