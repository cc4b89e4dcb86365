from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import free_port, wait_until
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from sqlalchemy import select
from test_listener_store import Door, radiograph

from dicom_listener import commitment as commitment_module
from pacs.answers import leave_answers
from screening.domain.commitment import PUSH_MODEL, WELL_KNOWN_INSTANCE
from screening.records.schema import CommitmentRow
from screening.settings import Settings

NO_SUCH_INSTANCE, CLASS_CONFLICT, DUPLICATE = 0x0112, 0x0119, 0x0131


class Asker:
    """A sender that asks for storage commitment and takes reports, on its association or a port."""

    def __init__(self, door: Door, port: int = 0) -> None:
        self.door = door
        self.reports: list[tuple[int, Dataset]] = []
        self.came = threading.Event()
        self.answer = 0x0000
        self.hold: threading.Event | None = None
        self.ae = AE("PACS")
        self.port = port
        self._server = None

    def listen(self) -> None:
        receiver = AE("PACS")
        receiver.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
        self._server = receiver.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[self._handler()]
        )

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()

    def _handler(self) -> tuple[evt.InterventionEvent, object]:
        def take(event: Event) -> tuple[int, None]:
            if self.hold is not None:
                self.hold.wait(10)
            self.reports.append((event.event_type, event.event_information))
            self.came.set()
            return self.answer, None

        return evt.EVT_N_EVENT_REPORT, take

    def associate(self) -> Association:
        self.ae.requested_contexts = []
        self.ae.add_requested_context(PUSH_MODEL, ImplicitVRLittleEndian)
        assoc = self.ae.associate(
            "127.0.0.1",
            self.door.settings.dicom_port,
            ae_title="NIGHTREAD",
            evt_handlers=[self._handler()],  # type: ignore[list-item]
        )
        leave_answers(assoc)
        return assoc

    def ask(
        self,
        assoc: Association,
        *named: tuple[str, str],
        transaction: str = "1.9.1",
        **other: object,
    ) -> int:
        """Send an N-ACTION and return the status of its response."""
        ds = Dataset()
        ds.TransactionUID = transaction
        ds.ReferencedSOPSequence = []
        for sop_class, uid in named:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
            ds.ReferencedSOPSequence.append(item)
        given = {"action_type": 1, "instance_uid": WELL_KNOWN_INSTANCE} | other
        status, _ = assoc.send_n_action(
            ds,
            given["action_type"],
            PUSH_MODEL,
            given["instance_uid"],  # type: ignore[arg-type]
        )
        return int(status.Status)

    def ask_and_wait(self, *named: tuple[str, str], transaction: str = "1.9.1") -> None:
        assoc = self.associate()
        assert self.ask(assoc, *named, transaction=transaction) == 0x0000
        assert self.came.wait(10), "the report came"
        self.came.clear()
        assoc.release()


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    opened = Door(settings)
    yield opened
    opened.close()


def rows(door: Door) -> list[CommitmentRow]:
    with door.records.read() as session:
        return list(session.scalars(select(CommitmentRow).order_by(CommitmentRow.id)))


def named(ds: Dataset) -> tuple[str, str]:
    return str(ds.SOPClassUID), str(ds.SOPInstanceUID)


def failures(report: Dataset) -> dict[str, int]:
    return {
        str(item.ReferencedSOPInstanceUID): int(item.FailureReason)
        for item in report.get("FailedSOPSequence", ())
    }


def test_what_is_held_is_committed_to_on_the_same_association(door: Door) -> None:
    first, second = radiograph("1.2.3"), radiograph("1.2.4")
    door.send(first, second)
    asker = Asker(door)
    asker.ask_and_wait(named(first), named(second))
    ((kind, report),) = asker.reports
    assert kind == 1
    assert report.TransactionUID == "1.9.1"
    held = {str(item.ReferencedSOPInstanceUID) for item in report.ReferencedSOPSequence}
    assert held == {"1.2.3", "1.2.4"}
    assert "FailedSOPSequence" not in report
    wait_until(lambda: rows(door)[0].reported_at is not None, 5, "it is recorded as told")


def test_what_is_not_held_is_named_with_its_reason(door: Door) -> None:
    kept, gone = radiograph("1.2.3"), radiograph("1.2.4")
    door.send(kept, gone)
    for path in door.archive.path("x").parents[1].rglob("*.dcm"):
        if path.stat().st_size and b"1.2.4" in path.read_bytes():
            path.unlink()
    asker = Asker(door)
    conflict = (str(CTImageStorage), "1.2.3")
    asker.ask_and_wait(named(gone), (named(kept)[0], "1.2.99"), conflict)
    ((kind, report),) = asker.reports
    assert kind == 2
    assert failures(report) == {
        "1.2.4": NO_SUCH_INSTANCE,
        "1.2.99": NO_SUCH_INSTANCE,
        "1.2.3": CLASS_CONFLICT,
    }
    assert "ReferencedSOPSequence" not in report


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"action_type": 2}, 0x0123),
        ({"instance_uid": "1.2.3"}, 0x0112),
    ],
    ids=str,
)
def test_another_action_or_instance_is_refused(
    door: Door, wrong: dict[str, object], status: int
) -> None:
    asker = Asker(door)
    assoc = asker.associate()
    assert asker.ask(assoc, ("1.2", "1.2.3"), **wrong) == status  # type: ignore[arg-type]
    assert asker.ask(assoc) == 0x0115, "a request that names no instance"
    assoc.release()
    assert rows(door) == []


def test_a_transaction_in_use_for_something_else_is_a_duplicate(door: Door) -> None:
    ds = radiograph("1.2.3")
    door.send(ds)
    asker = Asker(door)
    asker.answer = 0x0110  # so that the first stays open
    asker.ask_and_wait(named(ds))
    wait_until(lambda: rows(door)[0].attempts == 1, 5, "the refusal is recorded")
    assert "0x0110" in str(rows(door)[0].last_error)
    asker.answer = 0x0000
    asker.ask_and_wait((named(ds)[0], "1.2.77"))
    assert failures(asker.reports[-1][1]) == {"1.2.77": DUPLICATE}
    asker.ask_and_wait(named(ds))
    assert asker.reports[-1][0] == 1, "the same request again is the same request"
    assert len(rows(door)) == 2


@contextmanager
def called_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Door, Asker]]:
    """Open a listener that calls its sender back, at once after each failure."""
    monkeypatch.setattr(commitment_module, "_FIRST_PAUSE", commitment_module.dt.timedelta(0))
    port = free_port()
    door = Door(settings.model_copy(update={"commitment_peers": {"PACS": ("127.0.0.1", port)}}))
    asker = Asker(door, port)
    try:
        yield door, asker
    finally:
        asker.close()
        door.close()


def test_a_sender_that_is_away_is_called_back_until_it_answers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with called_back(settings, monkeypatch) as (door, asker):
        ds = radiograph("1.2.3")
        door.send(ds)
        assoc = asker.associate()
        assert asker.ask(assoc, named(ds)) == 0x0000
        assoc.release()
        wait_until(lambda: rows(door)[0].attempts >= 1, 20, "nobody was there")
        assert "nobody answers" in str(rows(door)[0].last_error)
        assert asker.reports == []
        asker.listen()
        assert asker.came.wait(20), "the report came by an association of its own"
        wait_until(lambda: rows(door)[0].reported_at is not None, 5, "it is recorded as told")
        assert asker.reports[0][0] == 1


def test_a_sender_that_goes_without_an_answer_is_told_on_its_next_association(door: Door) -> None:
    ds = radiograph("1.2.3")
    door.send(ds)
    asker = Asker(door)
    asker.hold = threading.Event()
    assoc = asker.associate()
    assert asker.ask(assoc, named(ds)) == 0x0000
    assoc.abort()
    asker.hold.set()
    wait_until(lambda: rows(door)[0].last_error is not None, 10, "it is noted")
    assert "NIGHTREAD_COMMITMENT_PEERS" in str(rows(door)[0].last_error)
    assert rows(door)[0].reported_at is None
    asker = Asker(door)
    assoc = asker.associate()
    assert asker.ask(assoc, ("1.2.840.10008.5.1.4.1.1.1.1", "1.2.78"), transaction="1.9.2") == 0
    wait_until(lambda: len(asker.reports) == 2, 10, "both reports came")
    assoc.release()
    assert {report.TransactionUID for _, report in asker.reports} == {"1.9.1", "1.9.2"}


def test_nothing_is_said_while_the_archive_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk is not mounted: what it holds would be called gone."""
    with called_back(settings, monkeypatch) as (door, asker):
        asker.listen()
        ds = radiograph("1.2.3")
        door.send(ds)
        away = settings.archive_dir.with_name("away")
        settings.archive_dir.rename(away)
        assoc = asker.associate()
        assert asker.ask(assoc, named(ds)) == 0x0000
        assoc.release()
        wait_until(lambda: rows(door)[0].attempts >= 1, 20, "it was tried")
        assert "mounted" in str(rows(door)[0].last_error)
        assert asker.reports == []
        away.rename(settings.archive_dir)
        assert asker.came.wait(20)
        assert asker.reports[0][0] == 1, "all is held"


def test_a_request_outlives_the_listener(settings: Settings) -> None:
    door = Door(settings)
    ds = radiograph("1.2.3")
    door.send(ds)
    asker = Asker(door)
    asker.answer = 0x0110
    asker.ask_and_wait(named(ds))
    door.close()
    port = free_port()
    again = Door(settings.model_copy(update={"commitment_peers": {"PACS": ("127.0.0.1", port)}}))
    asker = Asker(again, port)
    try:
        asker.listen()
        assert asker.came.wait(30)
        assert asker.reports[0][0] == 1
    finally:
        asker.close()
        again.close()
