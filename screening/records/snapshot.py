"""A copy of the records at one moment, while everything goes on; and the records from such a copy.

SQLite writes the copy itself; of PostgreSQL its own ``pg_dump`` does, and ``pg_restore`` reads it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, inspect, select
from sqlalchemy.engine import URL, make_url

from screening.errors import DependencyError, RecordsError
from screening.records.engine import Records
from screening.records.schema import InstanceRow

SQLITE, POSTGRESQL = "records.sqlite", "records.pgdump"


def write_snapshot(url: str, folder: Path) -> Path:
    """Copy the records into a folder, and return the file; at the end it replaces an older one.

    Raises
    ------
    RecordsError
        If the database does not give it.
    DependencyError
        If a program is missing.
    """
    made = make_url(url)
    is_sqlite = made.get_backend_name() == "sqlite"
    target = folder / (SQLITE if is_sqlite else POSTGRESQL)
    part = target.with_suffix(target.suffix + ".part")
    part.unlink(missing_ok=True)
    part.touch(0o600)
    if is_sqlite:
        part.unlink()  # SQLite writes into no file that is there
        _copy_sqlite(made, part)
    else:
        _run(["pg_dump", "--format=custom", "--no-owner", f"--file={part}"], made)
    part.chmod(0o600)
    _sync(part)
    part.replace(target)
    _sync(folder)
    return target


def read_snapshot(url: str, folder: Path) -> None:
    """Make the records from a copy.

    Raises
    ------
    RecordsError
        If there are records already, the folder has no copy for such a database, or it is refused.
    DependencyError
        If a program is missing.
    """
    made = make_url(url)
    is_sqlite = made.get_backend_name() == "sqlite"
    source = folder / (SQLITE if is_sqlite else POSTGRESQL)
    require_snapshot(url, folder)
    if is_sqlite:
        _restore_sqlite(source, Path(made.database or ""))
    else:
        _run(
            [
                "pg_restore",
                "--no-owner",
                "--exit-on-error",
                "--single-transaction",
                f"--dbname={made.database}",
                str(source),
            ],
            made,
        )


def require_snapshot(url: str, folder: Path) -> None:
    """Look whether the records can be made from a copy.

    Raises
    ------
    RecordsError
        If there are records already, or the folder has no copy for such a database.
    """
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    name = SQLITE if is_sqlite else POSTGRESQL
    if not (folder / name).is_file():
        kind = "SQLite" if is_sqlite else "PostgreSQL"
        raise RecordsError(f"{folder} has no {name}: the records here are of {kind}")
    if is_sqlite:
        _require_empty_file(Path(make_url(url).database or ""))
    else:
        _require_empty(url)


def count_instances(records: Records) -> int:
    """Count the instances on record."""
    with records.read() as session:
        return session.scalar(select(func.count()).select_from(InstanceRow)) or 0


def _copy_sqlite(url: URL, part: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{_uri(url.database)}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
    except sqlite3.Error as error:
        raise RecordsError(f"the records cannot be copied: {error}") from None
    part.chmod(0o600)


def _uri(path: str | Path | None) -> str:
    return Path(path or "").absolute().as_uri()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_empty_file(target: Path) -> None:
    # A log that a crashed process left would be replayed into what is restored.
    parts = [target, *(target.with_name(target.name + end) for end in ("-wal", "-shm", "-journal"))]
    if found := [str(part) for part in parts if part.exists()]:
        raise RecordsError(
            f"there are records already: {', '.join(found)}. Move them away first; nothing is "
            "overwritten"
        )


def _restore_sqlite(source: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    try:
        with closing(
            sqlite3.connect(f"{_uri(source)}?mode=ro&immutable=1", uri=True)
        ) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()
        if found != ("ok",):
            raise RecordsError(f"{source} is damaged: {found}")
        shutil.copyfile(source, part)
        part.chmod(0o600)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise RecordsError(f"{source} cannot be restored: {error}") from None


def _require_empty(url: str) -> None:
    records = Records(url)
    try:
        with records.read() as session:
            tables = inspect(session.connection()).get_table_names()
    finally:
        records.close()
    if tables:
        raise RecordsError(
            "the database has tables already: name an empty one; nothing is overwritten"
        )


def _run(command: list[str], url: URL) -> None:
    """Run a program of PostgreSQL; the password is in its environment, where others cannot see."""
    said = {
        "PGHOST": url.query.get("host") or url.host,
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        **{
            f"PG{name.upper()}": url.query.get(name)
            for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")
        },
    }
    environment = os.environ | {name: str(value) for name, value in said.items() if value}
    try:
        # Of paths and of what the settings say; no shell reads it.
        ran = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise DependencyError(
            f"{command[0]} is not installed: apt-get install postgresql-client"
        ) from None
    if ran.returncode:
        raise RecordsError(f"{command[0]} failed: {ran.stderr.strip()[-400:]}")
