"""The long form of the kill tests: everything dies at random, and nothing is lost or doubled."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
import redis
from conftest import wait_until
from installation import Installation
from raw_peer import RawPeer

from phantoms.load import write_load
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings

STUDIES, IMAGES = 200, 4
SECONDS_BETWEEN_FAULTS = (3.0, 8.0)


class Sender(threading.Thread):
    """A PACS that repeats each image until it was answered 0x0000."""

    def __init__(self, port: int, paths: list[Path]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._left = list(paths)
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        while self._left:
            self._left = [path for path in self._left if not self._sent(path)]

    def _sent(self, path: Path) -> bool:
        header = read_header(path)
        data_set = path.read_bytes()[data_set_offset(path) :]
        try:
            with RawPeer(self._port, seconds=5) as peer:
                peer.associate(header.sop_class_uid, header.transfer_syntax_uid)
                answer = peer.store(header.sop_instance_uid, data_set, header.sop_class_uid)
                peer.release()
        except (OSError, EOFError):
            time.sleep(0.2)
            return False
        if answer.status == 0x0000:
            self.acknowledged.add(header.sop_instance_uid)
        return answer.status == 0x0000


@pytest.mark.soak
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_everything_dies_at_random_and_every_image_has_one_result(
    settings: Settings,
    embedded_redis: EmbeddedRedis,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        chosen = {"database_url": url.replace("postgresql://", "postgresql+psycopg://")}
        settings = settings.model_copy(update=chosen)
    # A kill counts as an attempt at each image that was claimed; here there are many kills.
    settings = settings.model_copy(update={"maximum_attempts": 50})
    paths = write_load(tmp_path, STUDIES, IMAGES)
    installation = Installation(settings)
    for command in ("listen", "work"):
        installation.start(command)
    wait_until(installation.listens, 60, "the door answers")
    sender = Sender(settings.dicom_port, paths)
    sender.start()
    faults = _inject(installation, embedded_redis, sender)
    installation.wait_until_screened(len(paths), 300)
    assert sender.acknowledged == {
        i.sop_instance_uid for d in installation.dossiers() for i in d.images
    }
    installation.assert_scored_once(len(paths))
    assert len(installation.cases()) == STUDIES
    installation.stop()
    print(f"{database}: {len(paths)} images, {faults} faults, {installation.settings.data_dir}")


def _inject(installation: Installation, server: EmbeddedRedis, sender: Sender) -> int:
    """Kill, flush and restart at random while the sender sends; return how often."""
    rng = random.Random(7)
    socket = str(installation.settings.embedded_redis_socket)
    count = 0
    while sender.is_alive():
        time.sleep(rng.uniform(*SECONDS_BETWEEN_FAULTS))
        fault = rng.choice(["listen", "work", "flush", "restart"])
        if fault == "flush":
            with redis.Redis(unix_socket_path=socket) as client:
                client.flushall()
        elif fault == "restart":
            server.stop()
            server.start()
        else:
            installation.kill(fault)
            installation.start(fault)
        count += 1
    return count
