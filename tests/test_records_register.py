from __future__ import annotations

import datetime as dt
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.errors import RecordsError
from screening.records.association import Caller, open_association
from screening.records.engine import Records
from screening.records.intake import Arrival, Intake
from screening.records.register import Register
from screening.records.tally import tally

NOW = dt.datetime(2026, 3, 1, 22, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=30)


class Gate:
    """Records that let no writer in before the gate is opened, and count those that came."""

    def __init__(self, records: Records, *, refuse: bool = False) -> None:
        self._records = records
        self._refuse = refuse
        self.open = threading.Event()
        self.reached = threading.Event()
        self.writers = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.writers += 1
        self.reached.set()
        assert self.open.wait(30)
        if self._refuse:
            raise RecordsError("the database does not answer")
        with self._records.write() as connection:
            yield connection


def header(number: int, sop_class: str | None = "1.2.840.10008.5.1.4.1.1.1.1") -> InstanceHeader:
    return InstanceHeader(f"1.2.{number}", sop_class, f"1.3.{number % 7}", "1.2.840.10008.1.2.1")  # type: ignore[arg-type]


def associated(records: Records) -> int:
    with records.begin() as session:
        return open_association(session, Caller("PACS", "NIGHTREAD", "127.0.0.1", "here"), NOW)


def take_in(register: Register, association: int, one: InstanceHeader) -> Intake:
    kept = KeptFile(f"{hash(one.sop_instance_uid) & (1 << 255):064x}", 1000)
    return register.take_in(one, kept, association_row=association, now=NOW, announce_at=LATER)


def together(
    gate: Gate, register: Register, association: int, headers: list[InstanceHeader]
) -> list[Future[Intake]]:
    """Let one instance reach the database, and the others wait behind it; then open the gate."""
    with ThreadPoolExecutor(len(headers)) as threads:
        found = [threads.submit(take_in, register, association, headers[0])]
        assert gate.reached.wait(30)
        found += [threads.submit(take_in, register, association, one) for one in headers[1:]]
        # Each waits as soon as it runs; one that comes late is written by itself, and as well.
        threading.Event().wait(0.2)
        gate.open.set()
    return found


def test_no_instance_of_many_threads_is_forgotten(records: Records) -> None:
    register = Register(records)
    association = associated(records)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(12) as threads:
            found = threads.map(
                lambda number: take_in(register, association, header(number)), range(600)
            )
            assert {intake.arrival for intake in found} == {Arrival.NEW}
    finally:
        sys.setswitchinterval(before)
    with records.read() as session:
        assert tally(session).waiting == 600


def test_those_that_wait_share_a_transaction(records: Records) -> None:
    gate = Gate(records)
    headers = [header(number) for number in range(8)]
    found = together(gate, Register(gate), associated(records), headers)  # type: ignore[arg-type]
    assert [each.result().arrival for each in found] == [Arrival.NEW] * 8
    assert gate.writers < 8


def test_one_that_cannot_be_written_is_refused_alone(records: Records) -> None:
    gate = Gate(records)
    headers = [header(number) for number in range(6)]
    headers[3] = header(3, sop_class=None)
    found = together(gate, Register(gate), associated(records), headers)  # type: ignore[arg-type]
    with pytest.raises(RecordsError, match="refused"):
        found.pop(3).result()
    assert [each.result().arrival for each in found] == [Arrival.NEW] * 5


def test_a_database_that_is_away_is_asked_once_for_all_that_wait(records: Records) -> None:
    gate = Gate(records, refuse=True)
    headers = [header(number) for number in range(8)]
    found = together(gate, Register(gate), associated(records), headers)  # type: ignore[arg-type]
    for each in found:
        with pytest.raises(RecordsError, match="does not answer"):
            each.result()
    assert gate.writers < 8
