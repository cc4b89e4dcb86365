"""SIGKILL before and after each step from the first byte to the announcement: nothing is lost."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from conftest import wait_until
from faulty_listener import NO_FAULT, POINTS, Fault, ListenerFork
from raw_peer import RawPeer, image
from sqlalchemy import select
from test_listener_store import Door

import migrations
from screening.archive.folder_archive import FolderArchive
from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.queue.app import QUEUE
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.records.schema import InstanceRow, OutboxRow
from screening.settings import Settings

Images = dict[str, bytes]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and no rows: copied, it costs nothing."""
    path = tmp_path_factory.mktemp("empty") / "empty.sqlite"
    records = Records(f"sqlite:///{path}")
    migrations.upgrade(records)
    records.close()
    return path


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenerFork]:
    with ListenerFork(tmp_path_factory.mktemp("fork") / "listener.log") as opened:
        yield opened


class Shop:
    """A data folder, its listener, and what senders were told."""

    def __init__(self, settings: Settings, fork: ListenerFork) -> None:
        self.settings = settings
        self.fork = fork
        self.records = Records(settings.records_url)
        self.acknowledged: set[str] = set()

    def start(self, fault: Fault = NO_FAULT) -> None:
        self.fork.start(self.settings, fault)
        wait_until(self._answers, 20, "the listener answers")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), RawPeer(self.settings.dicom_port):
            return True
        return False

    def send(self, images: Images, calling: str = "PACS", pause: float = 0.0) -> None:
        """Send images over one association and release it, as far as it goes."""
        with (
            contextlib.suppress(OSError, EOFError),
            RawPeer(self.settings.dicom_port) as peer,
        ):
            peer.associate(calling=calling)
            for uid, data_set in images.items():
                answer = peer.store(uid, data_set)
                assert answer.status == 0x0000, answer
                self.acknowledged.add(uid)
                time.sleep(pause)
            peer.release()

    def rows(self) -> dict[str, InstanceRow]:
        with self.records.read() as session:
            found = list(session.scalars(select(InstanceRow)))
        assert len({row.sop_instance_uid for row in found}) == len(found)
        return {row.sop_instance_uid: row for row in found}

    def outbox(self) -> list[OutboxRow]:
        with self.records.read() as session:
            return list(session.scalars(select(OutboxRow)))

    def require_kept(self) -> None:
        """What was acknowledged has its row, its file, and its study in the outbox."""
        rows, archive = self.rows(), FolderArchive(self.settings.archive_dir)
        studies = {row.study_row for row in self.outbox()}
        assert self.acknowledged <= set(rows), "an acknowledged image is lost"
        for row in rows.values():
            path = archive.open_path(row.digest)
            assert row.digest == content_digest(
                path, offset=data_set_offset(path), transfer_syntax_uid=row.transfer_syntax_uid
            )
            assert row.size_bytes == path.stat().st_size
            assert row.study_row in studies, "it would never be announced"

    def require_all_once(self, images: Images) -> None:
        """Each image that was sent, by now with success, is there once and nothing else is."""
        assert self.acknowledged == set(images)
        self.require_kept()
        rows = self.rows()
        assert set(rows) == set(images)
        kept = [path.stem for path in (self.settings.archive_dir / "instances").rglob("*.dcm")]
        assert sorted(kept) == sorted(row.digest for row in rows.values())


@pytest.fixture
def shop(settings: Settings, fork: ListenerFork, empty_database: Path) -> Iterator[Shop]:
    settings.data_dir.mkdir()
    shutil.copy(empty_database, settings.data_dir / "nightread.sqlite")
    opened = Shop(settings, fork)
    yield opened
    if fork.pid:
        fork.end(signal.SIGKILL)
    opened.records.close()


def draw(count: int, study: str = "1.2", side: int = 16) -> Images:
    return {f"{study}.{n}": image(f"{study}.{n}", study, side=side) for n in range(1, count + 1)}


# At which call the third of five images is the one under way, and whether it has its row.
STEPS = {
    ("write", "before"): False,
    ("write", "after"): False,
    ("file fsync", "before"): False,
    ("file fsync", "after"): False,
    ("rename", "before"): False,
    ("rename", "after"): False,
    ("folder fsync", "before"): False,
    ("folder fsync", "after"): False,
    ("commit", "before"): False,
    ("commit", "after"): True,
    ("response", "before"): True,
    ("response", "after"): True,
}


def die_at_the_third_of_five(shop: Shop, point: str, moment: str, recorded: bool) -> None:
    images = draw(5)
    shop.start(Fault(point, moment, call=3))
    shop.send(images)
    assert shop.fork.wait() == -signal.SIGKILL, "the fault was met"
    answered = 3 if (point, moment) == ("response", "after") else 2
    assert len(shop.acknowledged) == answered
    assert len(shop.rows()) == 2 + recorded
    shop.require_kept()
    shop.start()
    shop.send(images)
    shop.require_all_once(images)
    assert shop.fork.end() == 0


def test_each_step_is_done_before_the_next_one_begins(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill cannot show what a loss of power would: that the disk was waited for, and when."""
    door = Door(settings)
    steps: list[str] = []

    def watch(point: str, owner: object, name: str, counts: Callable[..., bool]) -> None:
        genuine = getattr(owner, name)

        def watched(*arguments: object, **named: object) -> object:
            if counts(*arguments, **named):
                steps.append(point)
            return genuine(*arguments, **named)

        monkeypatch.setattr(owner, name, watched)

    try:
        with RawPeer(settings.dicom_port) as peer:
            peer.associate()
            for point in dict.fromkeys(point for point, _ in STEPS):
                watch(point, *POINTS[point])
            assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
            monkeypatch.undo()
    finally:
        door.close()
    assert steps == ["write", "file fsync", "rename", "folder fsync", "commit", "response"]


@pytest.mark.parametrize(("point", "moment"), STEPS)
def test_an_image_is_whole_or_not_there_wherever_the_listener_dies(
    shop: Shop, point: str, moment: str
) -> None:
    die_at_the_third_of_five(shop, point, moment, STEPS[point, moment])


@pytest.mark.parametrize(
    ("point", "moment"), [("commit", "before"), ("commit", "after"), ("response", "before")]
)
def test_on_postgresql_too(
    settings: Settings, fork: ListenerFork, postgresql_url: str, point: str, moment: str
) -> None:
    url = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    shop = Shop(settings.model_copy(update={"database_url": url}), fork)
    migrations.upgrade(shop.records)
    try:
        die_at_the_third_of_five(shop, point, moment, STEPS[point, moment])
    finally:
        shop.records.close()


# How many messages went out before the listener died.
ANNOUNCING = {
    ("end", "before"): 0,
    ("end", "after"): 0,
    ("publish", "before"): 0,
    ("publish", "after"): 1,
    ("mark sent", "before"): 1,
    ("mark sent", "after"): 1,
}


@pytest.mark.parametrize(("point", "moment"), ANNOUNCING)
def test_a_study_is_announced_wherever_the_listener_dies(
    shop: Shop, embedded_redis: EmbeddedRedis, point: str, moment: str
) -> None:
    images = draw(3)
    shop.start(Fault(point, moment))
    shop.send(images)
    assert shop.fork.wait() == -signal.SIGKILL, "the fault was met"
    shop.require_kept()
    with redis.Redis(unix_socket_path=str(shop.settings.embedded_redis_socket)) as client:
        came = ANNOUNCING[point, moment]
        assert client.llen(QUEUE) == came
        shop.start()
        wait_until(lambda: shop.outbox()[0].sent_at, 10, "the study is announced")
        assert client.llen(QUEUE) == came + 1, "twice where it died in between, never not at all"
    shop.send(images)
    shop.require_all_once(images)


_LONGEST_LIFE = 0.4  # seconds, of a listener that is to be killed


class Sender(threading.Thread):
    """A PACS that repeats what was not answered until everything was."""

    def __init__(self, shop: Shop, number: int, images: Images, pause: float) -> None:
        super().__init__(daemon=True)
        self._shop = shop
        self._calling = f"PACS{number}"
        self.left = images
        self._pause = pause
        self.gives_up = False

    def run(self) -> None:
        while self.left and not self.gives_up:
            self._shop.send(self.left, self._calling, self._pause)
            self.left = {
                uid: data_set
                for uid, data_set in self.left.items()
                if uid not in self._shop.acknowledged
            }
            time.sleep(0.02)


def kill_at_random(shop: Shop, *, senders: int, images: int, kills: int) -> None:
    """Kill and start the listener at random while senders send, then let them finish.

    Each image takes its sender so long that there is load to the last kill on any machine.
    """
    pause = 1.1 * kills * _LONGEST_LIFE / images
    rng = random.Random(11)
    drawn = [draw(images, f"1.2.{n}", side=192) for n in range(senders)]
    running = [Sender(shop, n, dict(each), pause) for n, each in enumerate(drawn)]
    shop.start()
    for sender in running:
        sender.start()
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(0, _LONGEST_LIFE))
            assert any(sender.is_alive() for sender in running), "there is load"
            shop.fork.end(signal.SIGKILL)
            shop.require_kept()
            shop.start()
        wait_until(lambda: not any(sender.is_alive() for sender in running), 600, "all is sent")
    finally:
        for sender in running:
            sender.gives_up = True
    shop.require_all_once({uid: content for each in drawn for uid, content in each.items()})
    assert shop.fork.end() == 0


def test_a_listener_killed_at_random_under_load_loses_and_doubles_nothing(shop: Shop) -> None:
    kill_at_random(shop, senders=4, images=300, kills=8)


@pytest.mark.soak
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_hundreds_of_kills_under_load_lose_and_double_nothing(
    settings: Settings,
    fork: ListenerFork,
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        chosen = {"database_url": url.replace("postgresql://", "postgresql+psycopg://")}
        settings = settings.model_copy(update=chosen)
    shop = Shop(settings, fork)
    migrations.upgrade(shop.records)
    try:
        kill_at_random(shop, senders=8, images=2500, kills=150)
    finally:
        shop.records.close()


def test_what_an_earlier_run_left_is_not_in_the_way(tmp_path: Path) -> None:
    """In a container each run has the same process number."""
    program = """
import os, sys
from pathlib import Path
os.getpid = lambda: 1
from screening.archive.folder_archive import FolderArchive
FolderArchive(Path(sys.argv[1])).receive(b"head", "1.2").require_whole()
os._exit(0)
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, tmp_path], check=True)
    assert len(list((tmp_path / "incoming").iterdir())) == 2, "the earlier is cleared by its age"
