"""Transactions that meet errors, other writers and each other."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from test_records_register import NOW, associated, header, take_in

import migrations
from screening.errors import RecordsError
from screening.records import sqlite
from screening.records.association import (
    Caller,
    Outcome,
    close_lost_associations,
    end_association,
    open_association,
)
from screening.records.dialect import Insert
from screening.records.engine import Records
from screening.records.prepared import Prepared
from screening.records.register import Register
from screening.records.schema import AssociationRow, OutboxRow
from screening.records.tally import tally


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def on_sqlite(file: Path) -> Iterator[Records]:
    opened = Records(f"sqlite:///{file}")
    migrations.upgrade(opened)
    yield opened
    opened.close()


def count(records: Records) -> int:
    with records.read() as session:
        return session.scalar(select(func.count()).select_from(AssociationRow)) or 0


@Prepared
def add_association(insert: Insert) -> object:
    return insert(AssociationRow).returning(AssociationRow.id)


def add(connection: Connection, **changes: object) -> object:
    values = {
        "listener": "here:1",
        "calling_ae_title": "PACS",
        "called_ae_title": "NIGHTREAD",
        "peer_address": "127.0.0.1",
        "opened_at": NOW,
        "outcome": "open",
        **dict.fromkeys(("stored", "duplicates", "conflicts", "refused"), 0),
    }
    return add_association.scalar(connection, **(values | changes))


def test_a_prepared_statement_converts_what_it_is_given(records: Records) -> None:
    with records.write() as connection:
        row = add(
            connection,
            opened_at=dt.datetime(2026, 3, 1, 23, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        )
    with records.read() as session:
        found = session.get(AssociationRow, row)
        assert found is not None
        assert (found.opened_at, found.calling_ae_title) == (NOW, "PACS")


def test_what_the_database_refuses_is_the_error_that_it_would_be_otherwise(
    records: Records,
) -> None:
    with pytest.raises(RecordsError, match="refused") as caught, records.write() as connection:
        add(connection, listener=None)
    assert isinstance(caught.value.__cause__, IntegrityError)
    with records.write() as connection:
        add(connection)
    assert count(records) == 1, "the connection that is kept is of use again"


def test_an_error_of_the_caller_leaves_nothing_and_no_lock(records: Records) -> None:
    def fail() -> None:
        with records.write() as connection:
            add(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with records.write() as connection:
        add(connection)
    assert count(records) == 1


def test_closing_waits_for_who_is_writing(on_sqlite: Records) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with on_sqlite.write() as connection:
            add(connection)
            inside.set()
            assert go_on.wait(10)

    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(write)
        assert inside.wait(10)
        closing = threads.submit(on_sqlite.close)
        go_on.set()
        writing.result(10)
        closing.result(10)
    assert count(on_sqlite) == 1


def test_another_program_that_writes_is_waited_for_and_then_named(
    on_sqlite: Records, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.3)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsError, match="locked"), on_sqlite.write() as connection:
            add(connection)
        other.execute("ROLLBACK")
    with on_sqlite.write() as connection:
        add(connection)
    assert count(on_sqlite) == 1


def test_a_file_that_is_no_database_is_an_error_of_ours_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database " * 1000)
    records = Records(f"sqlite:///{broken}")
    with pytest.raises(RecordsError, match="not a database"), records.write():
        pass
    records.close()


def test_a_database_that_may_not_be_written_says_so_at_once(on_sqlite: Records) -> None:
    with on_sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(RecordsError, match="readonly"), on_sqlite.begin() as session:
        session.execute(text("DELETE FROM associations"))


def test_processes_that_bring_the_same_studies_refuse_no_image(
    records: Records,
) -> None:
    """Two that lock the same rows in another order would wait for each other."""
    other = Records(records.engine.url.render_as_string(hide_password=False))
    registers = Register(records), Register(other)
    association = associated(records)

    def end(session: Session) -> None:
        rows = list(session.scalars(select(OutboxRow.study_row)))
        end_association(
            session,
            association,
            outcome=Outcome.RELEASED,
            now=NOW,
            explanation=None,
            study_rows=rows,
        )

    def bring(thread: int) -> None:
        for number in range(60) if thread % 2 else reversed(range(60)):
            take_in(registers[thread % 2], association, header(100 * thread + number))
            if number % 10 == 0:
                records.repeat(end)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(bring, range(6)))
    other.close()
    with records.read() as session:
        assert tally(session).received == 360


def test_who_was_taken_for_lost_may_still_say_how_it_ended(records: Records) -> None:
    with records.begin() as session:
        row = open_association(session, Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:1"), NOW)
        close_lost_associations(session, "here:1", NOW)
        end_association(
            session, row, outcome=Outcome.RELEASED, now=NOW, explanation=None, study_rows=()
        )
    with records.read() as session:
        assert session.scalar(select(AssociationRow.outcome)) == "released"


def test_a_connection_to_postgresql_is_given_up_when_its_other_end_is_silent(
    postgresql_url: str,
) -> None:
    def shown(url: str) -> str:
        records = Records(url)
        with records.read() as session:
            found = session.scalar(text("SHOW tcp_keepalives_idle"))
        records.close()
        return str(found)

    url = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    assert shown(url) == "15"
    # As a pooler asks for that takes no options.
    assert shown(f"{url}?options=%20") != "15"


def test_the_clock_is_that_of_the_databases_host(records: Records) -> None:
    apart = records.clock() - dt.datetime.now(dt.UTC)
    assert abs(apart) < dt.timedelta(seconds=5)
