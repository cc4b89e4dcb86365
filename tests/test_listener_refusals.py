"""Every status that the listener answers, and the disks and databases that make it refuse."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from conftest import require, wait_until
from raw_peer import (
    LAST,
    P_DATA,
    RADIOGRAPH,
    VERIFICATION,
    Answer,
    RawPeer,
    element,
    image,
    pdu,
    pdv,
)
from sqlalchemy.engine.default import DefaultDialect
from test_listener_store import Door, associations, kept_files

from dicom_listener.status import Status
from dicom_listener.store import InstanceStore
from screening.archive import incoming_file
from screening.domain.commitment import PUSH_MODEL, WELL_KNOWN_INSTANCE
from screening.records import engine, sqlite
from screening.settings import Settings

CT = "1.2.840.10008.5.1.4.1.1.2"
C_FIND, N_ACTION = 0x0020, 0x0130
# Transaction UID, and a Referenced SOP Sequence of one item.
COMMITMENT = element(0x00081195, b"UI", b"1.9.1") + element(
    0x00081199,
    b"SQ",
    bytes.fromhex("feff00e0ffffffff")
    + element(0x00081150, b"UI", RADIOGRAPH.encode())
    + element(0x00081155, b"UI", b"1.2.3")
    + bytes.fromhex("feff0de000000000"),
)
BUSY_SECONDS = 0.4


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"storing_ae_titles": ("PACS", "OTHER")})


@pytest.fixture
def door(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    for module in (engine, sqlite):
        monkeypatch.setattr(module, "BUSY_SECONDS", BUSY_SECONDS)
    opened = Door(settings)
    yield opened
    opened.close()


@contextlib.contextmanager
def locked(door: Door) -> Iterator[None]:
    """Hold SQLite's write lock, as a program that forgot its transaction."""
    holder = sqlite3.connect(door.settings.data_dir / "nightread.sqlite", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        yield
    finally:
        holder.close()


def peer_of(door: Door, sop_class: str | None = None, calling: str = "PACS") -> RawPeer:
    peer = RawPeer(door.settings.dicom_port)
    return (
        peer.associate(sop_class, calling=calling) if sop_class else peer.associate(calling=calling)
    )


Case = Callable[[RawPeer, Door, pytest.MonkeyPatch], Answer]


def store(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    return peer.store("1.2.3", image("1.2.3"))


def fail(*arguments: object) -> None:
    raise RuntimeError("of PHANTOM^RAW")


def store_into_an_error(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    monkeypatch.setattr(InstanceStore, "keep", fail)
    return store(peer, door, monkeypatch)


def store_of_another_class(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    return peer.store("1.2.3", image("1.2.3"), CT)


def store_by_a_monitor(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    with peer_of(door, calling="MONITOR") as monitor:
        answer = monitor.store("1.2.3", image("1.2.3"))
        assert monitor.echo() == 0x0000
        monitor.release()
    return answer


def store_beside_a_lock(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    with locked(door):
        return store(peer, door, monkeypatch)


def store_of_another_instance(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    return peer.store("1.2.4", image("1.2.3"))


def store_of_junk(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    return peer.store("1.2.3", b"junk" * 100)


def find(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
    peer.command({0x0002: VERIFICATION, 0x0100: C_FIND, 0x0110: 1, 0x0800: 1})
    peer.say(pdu(P_DATA, pdv(1, LAST, b"\x08\x00\x05\x00CS\0\0")))
    return peer.answer()


def act(instance: str = WELL_KNOWN_INSTANCE, action: int = 1, *, lock: bool = False) -> Case:
    """Ask for storage commitment."""

    def ask(peer: RawPeer, door: Door, monkeypatch: pytest.MonkeyPatch) -> Answer:
        data_set = COMMITMENT if lock else b""
        with (
            peer_of(door, PUSH_MODEL) as asking,
            locked(door) if lock else contextlib.nullcontext(),
        ):
            asking.command(
                {
                    0x0003: PUSH_MODEL,
                    0x0100: N_ACTION,
                    0x0110: 1,
                    0x0800: 1,
                    0x1001: instance,
                    0x1008: action,
                }
            )
            asking.say(pdu(P_DATA, pdv(1, LAST, data_set)))
            return asking.answer()

    return ask


STATUSES: dict[Status, Case] = {
    Status.SUCCESS: store,
    Status.PROCESSING_FAILURE: store_into_an_error,
    Status.SOP_CLASS_NOT_SUPPORTED: store_of_another_class,
    Status.NOT_AUTHORIZED: store_by_a_monitor,
    Status.UNRECOGNIZED_OPERATION: find,
    Status.OUT_OF_RESOURCES: store_beside_a_lock,
    Status.DATA_SET_MISMATCH: store_of_another_instance,
    Status.CANNOT_UNDERSTAND: store_of_junk,
    Status.NO_SUCH_INSTANCE: act(instance="1.2.3"),
    Status.NO_SUCH_ACTION: act(action=2),
    Status.INVALID_ARGUMENT: act(),
    Status.RESOURCE_LIMITATION: act(lock=True),
}


@pytest.mark.parametrize("status", Status)
def test_each_status_has_its_cause_and_its_reason(
    door: Door, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    with peer_of(door) as peer:
        answer = STATUSES[status](peer, door, monkeypatch)
        assert answer.status == status
        assert bool(answer.comment) == (status != Status.SUCCESS)
        assert len(answer.comment) <= 64
        assert "PHANTOM" not in answer.comment
        assert list(door.archive.incoming.iterdir()) == []
        assert peer.echo() == 0x0000, "the association goes on"
        monkeypatch.undo()
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000, "and the next one is kept"
        peer.release()


@pytest.mark.parametrize(
    "case", [store_of_another_class, store_by_a_monitor, store_of_another_instance, store_of_junk]
)
def test_a_refusal_is_counted_with_its_reason(
    door: Door, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    with peer_of(door) as peer:
        answer = case(peer, door, monkeypatch)
        peer.release()
    (refused,) = [row for row in associations(door) if row.refused]
    assert refused.last_refusal is not None
    assert refused.last_refusal.startswith(f"0x{answer.status:04X} {answer.comment}")
    assert kept_files(door) == []


class BrokenDisk:
    """The module ``os`` as the archive sees it, with a function that fails at its n-th call."""

    def __init__(self, name: str, number: int, call: int) -> None:
        self._name, self._number, self._left = name, number, call

    def __getattr__(self, name: str) -> object:
        genuine = getattr(os, name)
        if name != self._name:
            return genuine

        def call(*arguments: object, **named: object) -> object:
            self._left -= 1
            if self._left < 0:
                raise OSError(self._number, os.strerror(self._number))
            return genuine(*arguments, **named)

        return call


BROKEN_DISKS = {
    "full in the middle": ("write", errno.ENOSPC, 3),
    "over quota": ("write", errno.EDQUOT, 3),
    "over the limit of a file": ("write", errno.EFBIG, 3),
    "broken in the middle": ("write", errno.EIO, 3),
    "read-only since a moment": ("write", errno.EROFS, 3),
    "full at the first byte": ("write", errno.ENOSPC, 0),
    "full at the fsync": ("fsync", errno.ENOSPC, 0),
    "broken at the fsync": ("fsync", errno.EIO, 0),
    "not writable": ("open", errno.EACCES, 0),
    "out of descriptors": ("open", errno.EMFILE, 0),
}


@pytest.mark.parametrize("disk", BROKEN_DISKS)
def test_a_disk_that_fails_refuses_until_it_works_again(
    door: Door, monkeypatch: pytest.MonkeyPatch, disk: str
) -> None:
    data_set = image("1.2.3", side=1500)
    with peer_of(door) as peer:
        monkeypatch.setattr(incoming_file, "os", BrokenDisk(*BROKEN_DISKS[disk]))
        answer = peer.store("1.2.3", data_set)
        assert answer.status == 0xA700
        assert answer.comment
        assert kept_files(door) == []
        monkeypatch.setattr(incoming_file, "os", os)
        assert peer.store("1.2.3", data_set).status == 0x0000
        peer.release()
    wait_until(door.due.is_set, 5, "the association's end is recorded")
    (row,) = associations(door)
    assert (row.outcome, row.stored, row.refused) == ("released", 1, 1)


@pytest.mark.parametrize("step", ["replace", "sync"])
def test_a_disk_that_fails_at_the_last_step_refuses_too(
    door: Door, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with peer_of(door) as peer, monkeypatch.context() as patched:
        if step == "replace":
            patched.setattr(Path, "replace", broken)
        else:
            patched.setattr("screening.archive.folder_archive._sync", broken)
        assert peer.store("1.2.3", image("1.2.3")).status == 0xA700
        assert list(door.archive.incoming.iterdir()) == []
        patched.undo()
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
    assert len(kept_files(door)) == 1


@pytest.fixture
def small_disk(settings: Settings) -> Iterator[Path]:
    """A file system of 2 MB where the archive is."""
    settings.archive_dir.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=2k", "none", settings.archive_dir]
    mounted = subprocess.run(command, capture_output=True, check=False)
    require(mounted.returncode == 0, "no file system can be mounted: that takes root")
    yield settings.archive_dir
    subprocess.run(["umount", "--lazy", settings.archive_dir], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def test_a_disk_that_fills_in_the_middle_of_an_image(small_disk: Path, door: Door) -> None:
    large = image("1.2.3", side=1500)
    with peer_of(door) as peer, peer_of(door, calling="OTHER") as other:
        answer = peer.store("1.2.3", large)
        assert (answer.status, "full" in answer.comment) == (0xA700, True)
        assert kept_files(door) == [], "its room is free again"
        assert other.store("1.2.4", image("1.2.4")).status == 0x0000
        remount(small_disk, "size=20m")
        assert peer.store("1.2.3", large).status == 0x0000
    assert len(kept_files(door)) == 2


def test_a_disk_that_becomes_read_only(small_disk: Path, door: Door) -> None:
    with peer_of(door) as peer:
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
        remount(small_disk, "ro")
        answer = peer.store("1.2.4", image("1.2.4"))
        assert answer.status == 0xA700
        assert answer.comment
        remount(small_disk, "rw")
        assert peer.store("1.2.4", image("1.2.4")).status == 0x0000


def test_an_archive_whose_disk_is_gone(door: Door) -> None:
    away = door.settings.data_dir / "away"
    with peer_of(door) as peer:
        door.settings.archive_dir.rename(away)
        answer = peer.store("1.2.3", image("1.2.3"))
        assert answer.status == 0xA700
        assert answer.comment
        away.rename(door.settings.archive_dir)
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000


def test_a_locked_database_answers_all_who_wait_before_they_lose_patience(door: Door) -> None:
    """Each of many waits for the lock about twice, not once for each of the others."""
    answers: list[tuple[Answer, float]] = []

    def send(number: int) -> None:
        uid = f"1.2.{number}"
        with peer_of(door) as peer:
            ready.wait()
            started = time.monotonic()
            answers.append((peer.store(uid, image(uid)), time.monotonic() - started))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(10)]
    ready = threading.Barrier(len(senders) + 1)
    for sender in senders:
        sender.start()
    wait_until(lambda: len(associations(door)) == len(senders), 10, "all are here")
    with locked(door):
        ready.wait()
        with peer_of(door, calling="OTHER") as other:
            assert other.echo() == 0x0000
        for sender in senders:
            sender.join()
    assert {answer.status for answer, _ in answers} == {0xA700}
    assert max(seconds for _, seconds in answers) < 4 * BUSY_SECONDS
    with peer_of(door) as peer:
        assert peer.store("1.2.1", image("1.2.1")).status == 0x0000


def test_a_postgresql_that_is_down_refuses_until_it_is_up(
    settings: Settings, postgresql: str, postgresql_url: str
) -> None:
    name = postgresql_url.rpartition("/")[2]
    url = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    door = Door(settings.model_copy(update={"database_url": url}))
    try:
        with peer_of(door) as peer, psycopg.connect(postgresql, autocommit=True) as server:
            assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # type: ignore[call-overload]
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            answer = peer.store("1.2.4", image("1.2.4"))
            assert answer.status == 0xA700
            assert answer.comment.startswith("the database refused")
            with peer_of(door, calling="OTHER") as other:
                assert other.echo() == 0x0000
                server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # type: ignore[call-overload]
                assert other.store("1.2.5", image("1.2.5")).status == 0x0000, "recorded late"
            assert peer.store("1.2.4", image("1.2.4")).status == 0x0000
    finally:
        door.close()


def test_an_association_that_is_not_recorded_when_the_commit_fails_is_recorded_later(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its images would count for the next caller, who gets the number of its row."""
    commit, failures = DefaultDialect.do_commit, 1

    def fail_once(self: DefaultDialect, connection: sqlite3.Connection) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        commit(self, connection)

    monkeypatch.setattr(DefaultDialect, "do_commit", fail_once)
    with peer_of(door, calling="PACS") as first, peer_of(door, calling="OTHER") as second:
        assert first.store("1.2.3", image("1.2.3")).status == 0x0000
        assert second.store("1.2.4", image("1.2.4")).status == 0x0000
        first.release()
        second.release()
    wait_until(lambda: all(row.closed_at for row in associations(door)), 10, "both ends are known")
    assert sorted((row.calling_ae_title, row.stored) for row in associations(door)) == [
        ("OTHER", 1),
        ("PACS", 1),
    ]
