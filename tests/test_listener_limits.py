"""Many images, many associations, too many callers, and ends that nobody planned."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import require, wait_until
from faulty_listener import ListenerFork
from processes import children
from raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    COMMAND,
    EXPLICIT_LITTLE,
    LAST,
    P_DATA,
    RADIOGRAPH,
    RawPeer,
    associate_request,
    image,
    pdu,
    pdv,
    store_command,
)
from sqlalchemy import select
from test_listener_store import a_door, associations

import migrations
from phantoms.load import write_load
from screening.archive.folder_archive import FolderArchive
from screening.records.engine import Records
from screening.records.schema import AssociationRow, InstanceRow, OutboxRow
from screening.records.tally import tally
from screening.settings import Settings

CONTEXTS = {1: (RADIOGRAPH, [EXPLICIT_LITTLE])}
PASSING = bytes((0, 2, 3, 2))
NOT_FROM_HERE = bytes((0, 1, 1, 1))
POOL = 6  # files of three connections to SQLite, which are opened as they are needed


class Usage(NamedTuple):
    """What a process holds, as Linux counts it; memory in MB."""

    threads: int
    files: int
    memory: float


def usage(pid: int) -> Usage:
    status = Path(f"/proc/{pid}/status").read_text()
    found = {name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("Threads", "VmRSS")}  # type: ignore[index]
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Usage(found["Threads"], files, found["VmRSS"] / 1024)


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenerFork]:
    with ListenerFork(tmp_path_factory.mktemp("fork") / "listener.log") as opened:
        yield opened


class House:
    """A listener in a process of its own."""

    def __init__(self, settings: Settings, fork: ListenerFork) -> None:
        self.settings = settings
        self.fork = fork
        self.records = Records(settings.records_url)
        migrations.upgrade(self.records)
        self.acknowledged: set[str] = set()
        fork.start(settings)
        wait_until(self.answers, 20, "the listener answers")

    def answers(self) -> bool:
        with contextlib.suppress(OSError), RawPeer(self.settings.dicom_port):
            return True
        return False

    def close(self) -> None:
        if self.fork.pid:
            self.fork.end(signal.SIGKILL)
        self.records.close()

    def peer(self, calling: str = "PACS") -> RawPeer:
        return RawPeer(self.settings.dicom_port).associate(calling=calling)

    def send(self, uids: list[str], pause: float = 0.0) -> None:
        """Send images over one association, as far as it goes."""
        with contextlib.suppress(OSError, EOFError), self.peer() as peer:
            for uid in uids:
                if peer.store(uid, image(uid, uid.rpartition(".")[0])).status == 0x0000:
                    self.acknowledged.add(uid)
                time.sleep(pause)
            peer.release()

    def received(self) -> set[str]:
        with self.records.read() as session:
            return set(session.scalars(select(InstanceRow.sop_instance_uid)))

    def require_kept(self) -> None:
        assert self.acknowledged <= self.received()
        archive = FolderArchive(self.settings.archive_dir)
        with self.records.read() as session:
            for row in session.scalars(select(InstanceRow)):
                archive.open_path(row.digest)


@pytest.fixture
def house(settings: Settings, fork: ListenerFork) -> Iterator[House]:
    opened = House(settings, fork)
    yield opened
    opened.close()


def load(house: House, count: int) -> tuple[Usage, Usage]:
    """Send images over one association and one image over each of as many associations."""

    def send(first: int, last: int) -> None:
        house.send([f"1.2.{number}" for number in range(first, last)])
        for number in range(first, last):
            house.send([f"1.3.{number}"])

    warm = count // 5
    send(0, warm)
    before = usage(house.fork.pid)
    send(warm, count)
    wait_until(lambda: usage(house.fork.pid).threads <= before.threads, 10, "all threads ended")
    assert len(house.acknowledged) == 2 * count
    assert house.received() == house.acknowledged
    return before, usage(house.fork.pid)


def test_hundreds_of_images_and_associations_leave_no_thread_file_or_memory(house: House) -> None:
    before, after = load(house, 300)
    assert after.threads <= before.threads
    assert after.files <= before.files + POOL
    assert after.memory < before.memory + 4


@pytest.mark.soak
def test_thousands_of_images_and_associations_leave_no_thread_file_or_memory(
    house: House,
) -> None:
    before, after = load(house, 5000)
    print(f"{before} {after}")
    assert after.threads <= before.threads
    assert after.files <= before.files + POOL
    assert after.memory < before.memory + 8


def ask(port: int, calling: str = "PACS", host: str = "127.0.0.1") -> tuple[int, bytes, float]:
    """Ask for an association, and return the answer and how long it took."""
    started = time.monotonic()
    with RawPeer(port, connection=socket.create_connection((host, port), 10)) as peer:
        peer.say(associate_request(CONTEXTS, calling=calling))
        kind, content = peer.hear()
        return kind, content, time.monotonic() - started


def test_callers_beyond_the_limit_are_told_to_come_again_and_never_hang(
    settings: Settings,
) -> None:
    with a_door(settings, maximum_associations=3) as door, contextlib.ExitStack() as open_ones:
        port = settings.dicom_port
        inside = [open_ones.enter_context(RawPeer(port)).associate() for _ in range(3)]
        for _ in range(20):
            kind, content, seconds = ask(port)
            assert (kind, content) == (ASSOCIATE_RJ, PASSING)
            assert seconds < 2
        assert {peer.echo() for peer in inside} == {0x0000}
        inside[0].release()
        wait_until(lambda: ask(port)[0] == ASSOCIATE_AC, 5, "a place is free")
        refused = [row for row in associations(door) if row.outcome == "rejected"]
        assert len(refused) >= 20
        assert all("NIGHTREAD_MAXIMUM_ASSOCIATIONS" in str(row.explanation) for row in refused)


def test_one_title_cannot_take_all_places(settings: Settings) -> None:
    port = settings.dicom_port
    with (
        a_door(settings, maximum_associations_per_title=2),
        RawPeer(port).associate(calling="GREEDY") as first,
        RawPeer(port).associate(calling="GREEDY"),
    ):
        assert ask(port, "GREEDY")[:2] == (ASSOCIATE_RJ, PASSING)
        assert ask(port, "MODEST")[0] == ASSOCIATE_AC
        first.release()
        wait_until(lambda: ask(port, "GREEDY")[0] == ASSOCIATE_AC, 5, "a place is free")


@pytest.mark.parametrize(
    ("host", "networks", "admitted"),
    [
        ("127.0.0.1", "10.0.0.0/8", False),
        ("127.0.0.1", "10.0.0.0/8,127.0.0.0/8", True),
        ("::", "10.0.0.0/8", False),
        ("::", "127.0.0.0/8", True),
    ],
)
def test_networks(settings: Settings, host: str, networks: str, admitted: bool) -> None:
    require(host != "::" or socket.has_dualstack_ipv6(), "no IPv6 on this machine")
    allowed = Settings(allowed_networks=networks).allowed_networks
    with a_door(settings, dicom_host=host, allowed_networks=allowed) as door:
        kind, content, _ = ask(settings.dicom_port)
        if admitted:
            assert kind == ASSOCIATE_AC
        else:
            assert (kind, content) == (ASSOCIATE_RJ, NOT_FROM_HERE)
            (row,) = associations(door)
            assert "NIGHTREAD_ALLOWED_NETWORKS=10.0.0.0/8,127.0.0.1" in str(row.explanation)


@pytest.mark.parametrize("said", [b"", associate_request(CONTEXTS)[:50]], ids=["silent", "half"])
def test_a_crowd_that_never_asks_keeps_nobody_out(settings: Settings, said: bytes) -> None:
    with a_door(settings), contextlib.ExitStack() as crowd:
        before = threading.active_count()
        for _ in range(200):
            peer = crowd.enter_context(RawPeer(settings.dicom_port))
            peer.say(said)
        kind, _, seconds = ask(settings.dicom_port)
        assert kind == ASSOCIATE_AC
        assert seconds < 3
        wait_until(lambda: threading.active_count() < before + 80, 10, "the oldest are let go")


def test_who_is_silent_for_too_long_is_aborted_and_that_is_on_record(settings: Settings) -> None:
    with a_door(settings, idle_seconds=1) as door, RawPeer(settings.dicom_port) as peer:
        peer.associate()
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
        started = time.monotonic()
        assert peer.hear_the_end() == [ABORT]
        assert 0.5 < time.monotonic() - started < 3
        (row,) = associations(door)
        assert (row.outcome, row.stored) == ("aborted", 1)
        assert "silent for 1 seconds" in str(row.explanation)


def half_an_image(peer: RawPeer) -> None:
    peer.say(pdu(P_DATA, pdv(1, COMMAND | LAST, store_command("1.2.4"))))
    peer.say(pdu(P_DATA, pdv(1, 0, image("1.2.4")[:400])))


@pytest.mark.parametrize("end", ["reset", "close", "abort"])
def test_what_was_acknowledged_before_a_break_is_kept_and_nothing_partial_is_seen(
    settings: Settings, end: str
) -> None:
    with a_door(settings) as door, RawPeer(settings.dicom_port) as peer:
        peer.associate()
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
        half_an_image(peer)
        wait_until(lambda: any(door.archive.incoming.iterdir()), 5, "the second is arriving")
        if end == "reset":
            peer.reset()
        elif end == "close":
            peer.socket.close()
        else:
            peer.say(pdu(ABORT, bytes(4)))
        wait_until(door.due.is_set, 5, "the break is noticed")
        (row,) = associations(door)
        assert (row.outcome, row.stored, row.refused) == ("aborted", 1, 0)
        assert list(door.archive.incoming.iterdir()) == []
        with door.records.read() as session:
            assert tally(session).received == 1
            (study,) = session.scalars(select(OutboxRow))
            assert study.due_at <= row.closed_at  # type: ignore[operator]


def test_storescu_that_aborts_leaves_what_was_acknowledged(
    settings: Settings, dcmtk: Path, tmp_path: Path
) -> None:
    paths = write_load(tmp_path, 1, 3)
    with a_door(settings) as door:
        command = [dcmtk / "storescu", "--abort", "-aec", "NIGHTREAD", "127.0.0.1"]
        subprocess.run([*command, str(settings.dicom_port), *paths], check=True)
        wait_until(door.due.is_set, 5, "the abort is noticed")
        (row,) = associations(door)
        assert (row.outcome, row.stored) == ("aborted", 3)
        assert row.explanation == "the sender aborted it"


def test_a_listener_under_load_that_is_asked_to_stop_finishes_what_is_open(house: House) -> None:
    sent = [[f"1.{sender}.{number}" for number in range(40)] for sender in range(4)]
    senders = [threading.Thread(target=house.send, args=(uids, 0.02)) for uids in sent]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(house.acknowledged) > 20, 20, "the load is on")
    assert house.fork.end() == 0
    for sender in senders:
        sender.join()
    assert house.acknowledged == {uid for uids in sent for uid in uids}
    house.require_kept()


def test_a_sender_without_end_is_cut_off_when_the_drain_is_over(
    settings: Settings, fork: ListenerFork
) -> None:
    house = House(settings.model_copy(update={"drain_seconds": 1.0}), fork)
    try:
        sent = [f"1.2.{number}" for number in range(10_000)]
        sender = threading.Thread(target=house.send, args=(sent, 0.01))
        sender.start()
        wait_until(lambda: len(house.acknowledged) > 5, 20, "the load is on")
        started = time.monotonic()
        assert house.fork.end() == 0
        assert time.monotonic() - started < 15
        sender.join()
        assert len(house.acknowledged) < len(sent)
        house.require_kept()
    finally:
        house.close()


def processes_met(house: House) -> set[str]:
    """Call once more, and return the numbers of the processes that have taken calls so far."""
    with house.peer("PROBE") as peer:
        peer.release()
    return {row.listener.rpartition("#")[2] for row in rows_of(house)}


@pytest.fixture
def two_processes(settings: Settings, fork: ListenerFork) -> Iterator[House]:
    opened = House(settings.model_copy(update={"listener_processes": 2}), fork)
    wait_until(lambda: processes_met(opened) == {"0", "1"}, 20, "both processes take calls")
    yield opened
    opened.close()


def send_all(house: House, number: int, images: int) -> list[str]:
    """Send from many senders at once, so that each process has some."""
    sent = [[f"1.{sender}.{n}" for n in range(images)] for sender in range(number)]
    senders = [threading.Thread(target=house.send, args=(uids,)) for uids in sent]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return [uid for uids in sent for uid in uids]


def test_two_processes_share_a_port(two_processes: House) -> None:
    house = two_processes
    uids = send_all(house, 12, 10)
    assert house.acknowledged == set(uids)
    assert house.received() == set(uids)
    assert house.fork.end() == 0
    senders = {row.listener.rpartition("#")[2] for row in rows_of(house) if row.stored}
    assert senders == {"0", "1"}, "neither was left idle"
    assert {row.outcome for row in rows_of(house)} == {"released"}


def rows_of(house: House) -> list[AssociationRow]:
    with house.records.read() as session:
        return list(session.scalars(select(AssociationRow)))


def test_one_of_two_processes_that_stops_by_itself_ends_the_listener(
    two_processes: House,
) -> None:
    """It closes the port for both: whoever watches the listener is to start it again."""
    os.kill(children(two_processes.fork.pid)[0].pid, signal.SIGTERM)
    assert two_processes.fork.wait() != 0


def test_a_crowd_that_is_rejected_and_stays_keeps_nobody_out(settings: Settings) -> None:
    with a_door(settings), contextlib.ExitStack() as crowd:
        before = threading.active_count()
        for _ in range(150):
            peer = crowd.enter_context(RawPeer(settings.dicom_port))
            peer.say(associate_request(CONTEXTS, called="SOMEBODY"))
            assert peer.hear()[0] == ASSOCIATE_RJ
            peer.say(b"\4")
        assert threading.active_count() < before + 80
        kind, _, seconds = ask(settings.dicom_port)
        assert kind == ASSOCIATE_AC
        assert seconds < 3


def test_one_of_two_processes_that_is_killed_loses_nothing_and_is_noticed(
    two_processes: House,
) -> None:
    house = two_processes
    sending = threading.Thread(target=send_all, args=(house, 8, 40))
    sending.start()
    wait_until(lambda: len(house.acknowledged) > 40, 20, "the load is on")
    children(house.fork.pid)[0].kill()
    assert house.fork.wait() != 0, "whoever supervises it starts it again"
    sending.join()
    house.require_kept()
    house.fork.start(house.settings)
    wait_until(house.answers, 20, "it answers again")
    uids = send_all(house, 8, 40)
    assert house.acknowledged == set(uids)
    assert house.received() == set(uids)
