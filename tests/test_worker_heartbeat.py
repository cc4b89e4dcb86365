from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator

import pytest
from conftest import wait_until
from reading_room import Room
from sqlalchemy import select

from models.classifier import Classifier, load_classifier
from phantoms.load import small_study
from screening.domain.instance import InstanceState
from screening.records.engine import Records
from screening.records.schema import InstanceRow
from screening.settings import Settings
from worker.heartbeat import Heartbeat


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("mobilenet_v2")


@pytest.fixture
def room(settings: Settings, classifier: Classifier) -> Iterator[Room]:
    opened = Room(settings.model_copy(update={"lease_seconds": 1.0}), classifier)
    yield opened
    opened.records.close()


def claimed_until(records: Records) -> dt.datetime:
    with records.read() as session:
        return session.scalars(select(InstanceRow.claimed_until)).one() or dt.datetime.min


def test_a_batch_that_takes_longer_than_its_lease_is_never_worked_on_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = small_study(1, images=1)
    study = room.receive(image)
    slow = room.pipeline(worker="slow")
    is_scoring, may_end = threading.Event(), threading.Event()
    real = Classifier.examine

    def wait(self: Classifier, images: object) -> object:
        is_scoring.set()
        may_end.wait(20)
        return real(self, images)  # type: ignore[arg-type]

    monkeypatch.setattr(Classifier, "examine", wait)
    thread = threading.Thread(target=slow.screen, args=[study])
    thread.start()
    assert is_scoring.wait(20)
    first = claimed_until(room.records)
    wait_until(lambda: claimed_until(room.records) > first + dt.timedelta(seconds=1), 20, "beats")
    assert room.pipeline(worker="second").screen(study) == 0, "it is still the first one's"
    may_end.set()
    thread.join()
    (scored,) = room.dossier(image).images
    assert scored.state is InstanceState.SCORED
    assert scored.attempts == 1


def test_a_worker_that_comes_no_further_lets_its_leases_lapse(room: Room) -> None:
    (image,) = small_study(2, images=1)
    study = room.receive(image)
    (held,) = room.pipeline(worker="hung")._claim(study).claimed.values()
    heart = Heartbeat(room.records, "hung", dt.timedelta(seconds=0.3), 0.0)
    heart.hold([held.row])
    heart.start()
    wait_until(lambda: room.pipeline(worker="next").screen(study) == 1, 20, "another takes it up")
    heart.stop()


def test_a_heart_outlives_a_database_that_does_not_answer(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    from screening.errors import RecordsError

    (image,) = small_study(3, images=1)
    study = room.receive(image)
    (held,) = room.pipeline(worker="w")._claim(study).claimed.values()
    asked = threading.Event()

    def away(*_: object) -> None:
        asked.set()
        raise RecordsError("the database does not answer")

    heart = Heartbeat(room.records, "w", dt.timedelta(seconds=0.3), 60.0)
    with monkeypatch.context() as patched:
        patched.setattr(Records, "begin", away)
        heart.hold([held.row])
        heart.start()
        assert asked.wait(10)
    before = claimed_until(room.records)
    wait_until(lambda: claimed_until(room.records) != before, 10, "it beats again")
    heart.stop()
