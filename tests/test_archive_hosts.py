"""Listener and workers that share an archive: its failures at the door, kills, and two hosts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_places import FolderPlace, Place, S3Place, opened
from conftest import wait_until
from faulty_listener import Fault, ListenerFork
from faulty_wire import http_error
from installation import Installation
from raw_peer import Answer, RawPeer, image
from test_listener_store import Door, a_door

import migrations
from dicom_listener.settling import Settling
from phantoms.load import write_load
from screening.archive.archive import MARKER, Archive
from screening.archive.opening import open_archive
from screening.errors import ArchiveAwayError
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.records.snapshot import count_instances
from screening.settings import Settings


@pytest.fixture(params=["share", "s3"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Place:
    if request.param == "s3":
        server, wire = request.getfixturevalue("s3_server"), request.getfixturevalue("wire")
        return S3Place(settings, server, wire, tmp_path)
    return FolderPlace(settings, tmp_path / "share", shared=True)


@pytest.fixture
def door(place: Place) -> Iterator[Door]:
    opened(place)
    with a_door(place.settings) as made:
        made.archive.require_there()
        yield made


def store(door: Door, uid: str) -> Answer:
    with RawPeer(door.settings.dicom_port) as peer:
        peer.associate()
        return peer.store(uid, image(uid, side=64))


def received(door: Door) -> int:
    return count_instances(door.records)


def listed(archive: Archive) -> list[str]:
    return [file.digest for page in archive.kept_files(0) for file in page]


def test_an_archive_that_is_away_refuses_at_the_door_until_it_is_back(
    door: Door, place: Place
) -> None:
    assert store(door, "1.2.3").status == 0x0000
    place.take_away()
    answer = store(door, "1.2.4")
    assert answer.status == 0xA700
    assert answer.comment
    assert received(door) == 1
    place.bring_back()
    assert store(door, "1.2.4").status == 0x0000
    assert received(door) == len(listed(door.archive)) == 2


@pytest.mark.parametrize("place", ["s3"], indirect=True)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"cut_request": 3000}, "does not answer"),
        ({"flip_request": 3000}, "BadDigest"),
        ({"answer": http_error("503 Slow Down", "SlowDown")}, "SlowDown"),
        ({"answer": http_error("403 Forbidden", "AccessDenied")}, "refuses our credentials"),
        ({"answer": http_error("507 Insufficient Storage", "QuotaExceeded")}, "is full"),
    ],
    ids=["cut", "changed", "busy", "refused", "full"],
)
def test_a_sender_is_told_what_the_store_said(
    door: Door, place: S3Place, fault: dict[str, object], told: str
) -> None:
    place.wire.break_(**fault)
    answer = store(door, "1.2.3")
    assert answer.status == 0xA700
    assert told in answer.comment
    assert received(door) == 0
    place.wire.mend()
    assert store(door, "1.2.3").status == 0x0000
    assert received(door) == 1


@pytest.mark.parametrize(
    "fault", [Fault("commit", "before", 1), Fault("commit", "after", 1)], ids=["before", "after"]
)
def test_a_listener_killed_between_the_archive_and_the_commit_leaves_what_is_adopted(
    place: Place, fault: Fault, tmp_path: Path
) -> None:
    opened(place)
    place.settings.data_dir.mkdir(exist_ok=True)
    records = Records(place.settings.records_url)
    migrations.upgrade(records)
    with ListenerFork(tmp_path / "listener.log") as fork:
        fork.start(place.settings, fault)
        wait_until(lambda: _answers(place.settings.dicom_port), 20, "the listener answers")
        with RawPeer(place.settings.dicom_port) as peer:
            peer.associate()
            with pytest.raises((OSError, EOFError)):
                peer.store("1.2.3", image("1.2.3", side=64))
        assert fork.wait() == -signal.SIGKILL
    archive = open_archive(place.settings)
    assert len(listed(archive)) == 1, "its bytes were kept"
    with a_door(place.settings) as again:
        settling = Settling(again.archive, records, "again", patience_seconds=0)
        adopted = settling.settle(again.due)
        assert adopted == (fault.moment == "before")
        assert received(again) == 1
        assert store(again, "1.2.3").status == 0x0000, "and a repeat changes nothing"
        assert (received(again), len(listed(archive))) == (1, 1)
    records.close()


def _answers(port: int) -> bool:
    try:
        with RawPeer(port):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_what_one_host_receives_another_scores(
    place: S3Place, embedded_redis: EmbeddedRedis, postgresql_url: str, tmp_path: Path
) -> None:
    """Two data folders; PostgreSQL, Redis and the bucket are all that they share."""
    opened(place)
    shared = {
        "database_url": postgresql_url.replace("postgresql://", "postgresql+psycopg://"),
        "redis_url": place.settings.broker_url,
    }
    hosts = [
        Installation(place.settings.model_copy(update=shared | {"data_dir": tmp_path / name}))
        for name in ("one", "other")
    ]
    for host in hosts:
        host.settings.data_dir.mkdir()
    one, other = hosts
    try:
        one.start("listen")
        other.start("work")
        wait_until(one.listens, 60, "the door answers")
        one.send(write_load(tmp_path / "films", 2, 2, side=96))
        other.wait_until_screened(4, 120)
        other.assert_scored_once(4)
        for name in ("incoming", "cache"):
            assert not list((tmp_path / "one" / "archive").glob(f"{name}/*")), name
        assert len(list((tmp_path / "other" / "archive" / "cache").glob("*.dcm"))) == 4
    finally:
        for host in hosts:
            host.stop()


def test_below_a_share_that_went_away_an_older_archive_takes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    place = FolderPlace(settings, tmp_path / "share", shared=True)
    opened(place)
    with a_door(place.settings) as door:
        assert store(door, "1.1").status == 0x0000
        (tmp_path / "share" / MARKER).unlink()
        assert store(door, "1.2").status == 0xA700
        with pytest.raises(ArchiveAwayError):
            door.archive.holds("ab" * 32)
        assert received(door) == 1
