"""Lines of the log name the association, the task, the study and the instance that they are of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from installation import Installation
from pydicom import dcmread
from raw_peer import RawPeer, image

from phantoms.load import write_load
from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    opened = Installation(settings.model_copy(update={"maximum_attempts": 1}))
    yield opened
    opened.stop()


def lines(installation: Installation, command: str, event: str) -> list[dict[str, Any]]:
    said = [json.loads(line) for line in installation.log(command).splitlines() if line[:1] == "{"]
    return [line for line in said if line["event"] == event]


def test_lines_of_the_door_and_of_the_worker_say_what_they_are_of(
    installation: Installation, tmp_path: Path
) -> None:
    (path,) = write_load(tmp_path, 1, 1)
    ds = dcmread(path)
    ds.save_as(path)
    for command in ("listen", "work"):
        installation.start(command)
    wait_until(installation.listens, 30, "the door answers")
    installation.send([path])
    ds.BodyPartExamined = "CHEST"
    ds.save_as(path)
    installation.send([path])
    with RawPeer(installation.settings.dicom_port) as peer:
        peer.associate()
        assert peer.store("1.2.9", image("1.2.8")).status != 0
        assert peer.store("DOE^JANE", image("DOE^JANE")).status is not None
        peer.release()
    wait_until(lambda: installation.tally().waiting == 0, 120, "it is screened")
    [conflict] = lines(installation, "listen", "conflicting_duplicate")
    assert conflict["study_instance_uid"] == ds.StudyInstanceUID
    assert conflict["sop_instance_uid"] == ds.SOPInstanceUID
    refused = lines(installation, "listen", "store_refused")
    assert refused[0]["sop_instance_uid"] == "1.2.9"
    assert all(line["association"] > conflict["association"] for line in refused)
    wait_until(lambda: lines(installation, "work", "batch_screened"), 20, "the worker says so")
    assert all(line["task_id"] for line in lines(installation, "work", "batch_screened"))


def test_an_image_that_fails_is_named_with_its_study_and_the_task(
    installation: Installation, tmp_path: Path
) -> None:
    (path,) = write_load(tmp_path, 1, 1)
    ds = dcmread(path)
    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers")
    installation.send([path])
    for kept in installation.settings.archive_dir.rglob("*"):
        if kept.is_file() and kept.stat().st_size > 1000:
            kept.unlink()
    installation.start("work")
    wait_until(lambda: lines(installation, "work", "image_failed"), 120, "it has failed")
    failed = lines(installation, "work", "image_failed")[0]
    assert failed["study_instance_uid"] == ds.StudyInstanceUID
    assert failed["sop_instance_uid"] == ds.SOPInstanceUID
    assert failed["task_id"]
