from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from conftest import wait_until
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from test_listener_store import Door, associations, kept_files, radiograph

from dicom_listener.settling import Settling
from screening.errors import RecordsError
from screening.records import outbox
from screening.records.case_filter import EVERYTHING
from screening.records.cases import list_cases
from screening.records.keeping_schema import RemovalRow
from screening.records.register import Register
from screening.records.removals import removals_of
from screening.records.schema import InstanceRow, OutboxRow, StudyRow
from screening.records.tally import tally
from screening.settings import Settings


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    opened = Door(settings)
    yield opened
    opened.close()


def forget_rows(door: Door) -> None:
    """Leave the files as a listener does that was killed between the rename and the commit."""
    with door.records.begin() as session:
        session.execute(delete(OutboxRow))
        session.execute(delete(InstanceRow))
        session.execute(update(StudyRow).values(images_received=0))


def settle(door: Door, patience: float = 0.0) -> int:
    return Settling(door.archive, door.records, "here:1", patience).settle(threading.Event())


def test_a_file_without_a_row_is_adopted_and_its_study_announced(door: Door) -> None:
    door.send(radiograph("1.2.3"), radiograph("1.2.4"))
    assert settle(door) == 0, "what has a row is left alone"
    forget_rows(door)
    assert settle(door) == 2
    assert settle(door) == 0
    with door.records.read() as session:
        assert tally(session).received == 2
        (case,) = list_cases(session, EVERYTHING)
        assert (case.patient_id, case.images_waiting) == ("P1", 2)
        assert len(outbox.due(session, dt.datetime.now(dt.UTC))) == 1
    explained = associations(door)[-1].explanation
    assert explained is not None
    assert "without a row" in explained
    assert door.send(radiograph("1.2.3")) == [0x0000]
    with door.records.read() as session:
        assert tally(session).received == 2, "its sender's repeat is the same image"


def test_a_file_that_a_rule_removed_and_that_is_there_is_taken_back(door: Door) -> None:
    door.send(radiograph("1.2.3"), radiograph("1.2.4"), radiograph("1.2.5"))
    now = dt.datetime.now(dt.UTC)
    there, decided, gone = (path.stem for path in kept_files(door))
    with door.records.begin() as session:
        for digest, removed_at in ((there, now), (decided, None), (gone, now)):
            session.add(
                RemovalRow(
                    digest=digest,
                    rule="clear",
                    policy="d" * 64,
                    size_bytes=1,
                    decided_at=now,
                    removed_at=removed_at,
                )
            )
    door.archive.remove(gone)
    assert settle(door) == 1
    with door.records.read() as session:
        assert set(removals_of(session, [there, decided, gone])) == {decided, gone}
        assert tally(session).received == 3, "it is the image that it was"
    explained = associations(door)[-1].explanation
    assert explained is not None
    assert "a rule had removed it" in explained
    assert settle(door) == 0


@contextmanager
def running(settling: Settling) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=settling.run, args=(stopping,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(10)


def test_what_was_refused_while_the_database_was_away_is_adopted_when_it_is_back(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise RecordsError("the database does not answer")

    # It looks before the file is old enough, and must look again.
    settling = Settling(door.archive, door.records, "here:1", 1.0, at_start=False)
    monkeypatch.setattr(door.listener._store, "_on_orphan", settling.look_again)
    with monkeypatch.context() as patched:
        patched.setattr(Register, "take_in", away)
        assert door.send(radiograph("1.2.3")) == [0xA700]
    with running(settling):
        wait_until(lambda: received(door) == 1, 10, "it is adopted")


def received(door: Door) -> int:
    with door.records.read() as session:
        return tally(session).received


def test_a_file_that_cannot_be_read_is_not_in_the_way_of_others(door: Door) -> None:
    door.send(radiograph("1.2.3"))
    forget_rows(door)
    (door.settings.archive_dir / "instances/00" / f"{'00' * 32}.dcm").mkdir()
    assert settle(door) == 1


def test_a_database_that_is_away_at_the_start_is_asked_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.send(radiograph("1.2.3"))
    forget_rows(door)
    read, asked = door.records.read, 0

    def away_at_first() -> AbstractContextManager[Session]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise RecordsError("the database does not answer")
        return read()

    monkeypatch.setattr(door.records, "read", away_at_first)
    with running(Settling(door.archive, door.records, "here:1", 0.01)):
        wait_until(lambda: asked > 2 and received(door) == 1, 10, "it is adopted")


def test_a_file_that_has_just_come_is_left_to_who_receives_it(door: Door) -> None:
    door.send(radiograph())
    forget_rows(door)
    assert settle(door, patience=60) == 0


def test_a_file_that_is_not_what_its_name_says_is_not_adopted(door: Door) -> None:
    door.send(radiograph())
    (path,) = kept_files(door)
    forget_rows(door)
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert settle(door) == 0
    path.write_bytes(b"no DICOM at all")
    assert settle(door) == 0
    assert path.exists(), "it is left for somebody to look at"


def test_debris_is_nobodys_and_what_arrives_is_somebodys(door: Door) -> None:
    arriving = door.archive.receive(b"head", "1.2.840.10008.1.2")
    debris = door.archive.incoming / "4711-0.part"
    debris.write_bytes(b"half")
    old = time.time() - 60
    for path in (arriving.path, debris):
        os.utime(path, (old, old))
    assert door.archive.clear_incoming(5) == 1
    assert arriving.path.exists()
    arriving.discard()
