from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from conftest import wait_until
from installation import Installation

from phantoms.load import write_load
from screening.queue.app import OVERNIGHT_QUEUE
from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings

IMAGES = 80


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    opened = Installation(settings)
    yield opened
    opened.stop()


def messages(settings: Settings) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(settings.embedded_redis_socket))


def test_a_worker_killed_in_mid_study_leaves_nothing_unscored_and_nothing_twice(
    settings: Settings, embedded_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    """Within a minute, with the lease and the sweep as they are by default."""
    defaults = Settings()
    as_shipped = {
        "lease_seconds": defaults.lease_seconds,
        "sweep_seconds": defaults.sweep_seconds,
    }
    installation = Installation(settings.model_copy(update=as_shipped))
    try:
        kill_a_worker_in_mid_study(installation, write_load(tmp_path, 1, IMAGES))
    finally:
        installation.stop()


def kill_a_worker_in_mid_study(installation: Installation, images: list[Path]) -> None:
    installation.start("listen")
    installation.start("work")
    wait_until(installation.listens, 30, "the door answers")
    installation.send(images)
    wait_until(lambda: installation.tally().scored > 0, 60, "the first images are scored")
    installation.kill("work")
    before = installation.tally()
    assert 0 < before.scored < IMAGES, "it was killed in mid-study"

    installation.start("work")
    # Within its lease and not within the hour after which Redis would give its messages back.
    installation.wait_until_screened(IMAGES, 180)
    installation.assert_scored_once(IMAGES)
    assert [case.images_scored for case in installation.cases()] == [IMAGES]


def test_two_hundred_studies_that_redis_forgot_are_all_scored(
    installation: Installation, tmp_path: Path
) -> None:
    images = write_load(tmp_path, 200, 1)
    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers")
    installation.send(images)
    queue = messages(installation.settings)
    wait_until(lambda: queue.llen(OVERNIGHT_QUEUE) >= 200, 30, "200 studies are announced")
    queue.flushall()
    assert queue.llen(OVERNIGHT_QUEUE) == 0

    installation.start("work")
    installation.wait_until_screened(200, 120)
    installation.assert_scored_once(200)
    assert len(installation.cases()) == 200


def test_images_come_in_while_redis_is_down_and_are_scored_when_it_is_back(
    installation: Installation, embedded_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    images = write_load(tmp_path, 3, 2)
    installation.start("listen")
    installation.start("work")
    wait_until(installation.listens, 30, "the door answers")
    wait_until(lambda: "worker_ready" in installation.log("work"), 60, "the worker is ready")
    embedded_redis.stop()
    installation.send(images)
    assert installation.tally().received == 6
    embedded_redis.start()
    installation.wait_until_screened(6, 180)
    installation.assert_scored_once(6)


def test_a_study_that_goes_on_after_its_association_is_one_case(
    installation: Installation, tmp_path: Path
) -> None:
    first, second, third = write_load(tmp_path, 1, 3)
    installation.start("listen")
    installation.start("work")
    wait_until(installation.listens, 30, "the door answers")
    installation.send([first])
    installation.wait_until_screened(1, 180)
    installation.send([second, third])
    installation.wait_until_screened(3, 180)
    (dossier,) = installation.dossiers()
    assert dossier.revisions[0].images_received == 1
    assert dossier.revisions[-1].images_scored == 3


def test_processes_end_cleanly_when_asked(installation: Installation) -> None:
    installation.start("listen")
    installation.start("work")
    wait_until(installation.listens, 30, "the door answers")
    wait_until(lambda: "worker_ready" in installation.log("work"), 60, "the worker is ready")
    for name, process in installation.processes.items():
        process.terminate()
        assert process.wait(20) == 0, installation.log(name)
    installation.processes.clear()
