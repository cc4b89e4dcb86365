"""An upgrade from the release before, with images coming all the time, and the way back."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port, wait_until
from console import ROOT
from installation import Installation
from later_release import later_release
from previous_release import commit, contents, settings_of, unpack
from raw_peer import RawPeer
from sqlalchemy import text

import migrations
from phantoms.load import small_study
from phantoms.study import save
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.settings import Settings

OLD, NEW = "old", "new"
_MOST_WAITING = 3
_MOST_TRIES = 100


class Upgrade(Installation):
    """An installation whose processes are of one release or the other, whichever is asked for."""

    def __init__(self, settings: Settings, previous: Path) -> None:
        self.code = {OLD: previous, NEW: ROOT}
        self.settings, self.processes = settings, {}
        settings.data_dir.mkdir(exist_ok=True)
        assert self.run(OLD, "migrate").returncode == 0
        self.records = Records(settings.records_url)
        made = self.run(OLD, "token", "create", "a viewer")
        assert made.returncode == 0, made.stderr
        self._token = made.stdout.strip()

    def _environment(self, release: str) -> dict[str, str]:
        environment = self.environment() | {"PYTHONPATH": str(self.code[release])}
        known = {f"NIGHTREAD_{name.upper()}" for name in settings_of(self.code[release])}
        return {k: v for k, v in environment.items() if k in known or "NIGHTREAD_" not in k}

    def run(self, release: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a release to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "nightread", *arguments],
            env=self._environment(release),
            cwd=self.settings.data_dir,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def begin(self, release: str, command: str) -> None:
        """Start a process of a release; its log is named after both."""
        name = f"{release}-{command}"
        with (self.settings.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "nightread", command],
                env=self._environment(release),
                cwd=self.settings.data_dir,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, release: str, command: str) -> None:
        """Ask a process to end, as systemd and Docker do, and wait for it."""
        process = self.processes.pop(f"{release}-{command}")
        process.terminate()
        assert process.wait(60) == 0

    def replace(self, command: str, before: str, after: str) -> None:
        self.end(before, command)
        self.begin(after, command)

    def wait_until_scores(self, release: str) -> None:
        """Wait until a worker of a release has scored what came from now on."""
        said = re.compile(r"batch_screened")
        before = len(said.findall(self.log(f"{release}-work")))
        wait_until(
            lambda: len(said.findall(self.log(f"{release}-work"))) > before + 1,
            240,
            f"the {release} worker scores",
            self.ended,
        )

    def waiting(self) -> int:
        """Count what waits, by a query that every release's schema can answer."""
        with self.records.engine.connect() as connection:
            query = text("SELECT count(*) FROM instances WHERE state = 'waiting'")
            return connection.scalar(query) or 0

    def ready(self, process: str) -> bool:
        port = getattr(self.settings, f"{process}_watch_port")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def lists(self, study: str) -> bool:
        """Say whether the worklist finds a study, whatever release serves it."""
        host = f"http://127.0.0.1:{self.settings.worklist_port}"
        address = f"{host}/api/v1/cases?text={study}"
        asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return [case["study_instance_uid"] for case in json.load(answer)["cases"]] == [study]

    def ledger(self, release: str) -> dict[str, Any]:
        ran = self.run(release, "ledger", "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        found: dict[str, Any] = json.loads(ran.stdout)
        return found


class Traffic(threading.Thread):
    """A PACS that sends an image every moment, and repeats each until it was answered 0x0000.

    No faster than a slow machine scores: what comes in an hour would have to be waited for.
    """

    def __init__(self, upgrade: Upgrade, folder: Path) -> None:
        super().__init__()
        self._port, self._folder = upgrade.settings.dicom_port, folder
        self._waiting = upgrade.waiting
        self.over = threading.Event()
        self.acknowledged: list[str] = []
        self.studies: list[str] = []
        self.repeats = 0

    def run(self) -> None:
        for index in itertools.count():
            path = self._folder / f"{index}.dcm"
            save(next(small_study(index, 1, side=96)), path)
            tries = 0
            while not self._sent(path):
                self.repeats, tries = self.repeats + 1, tries + 1
                time.sleep(0.2)
                if self.over.is_set() and tries > _MOST_TRIES:
                    return
            while self.over.wait(0.2) or self._waiting() > _MOST_WAITING:
                if self.over.is_set():
                    return

    def _sent(self, path: Path) -> bool:
        header = read_header(path)
        data_set = path.read_bytes()[data_set_offset(path) :]
        try:
            with RawPeer(self._port, seconds=20) as peer:
                peer.associate(header.sop_class_uid, header.transfer_syntax_uid)
                answer = peer.store(header.sop_instance_uid, data_set, header.sop_class_uid)
                if answer.status == 0x0000:
                    self.acknowledged.append(header.sop_instance_uid)
                    self.studies.append(header.study_instance_uid)
                peer.release()
        except (OSError, EOFError):
            pass
        return self.acknowledged[-1:] == [header.sop_instance_uid]

    def wait_for_more(self, images: int = 3) -> None:
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) >= before + images, 240, "images come")

    def __enter__(self) -> Traffic:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("previous"))


@pytest.fixture(params=["sqlite", "postgresql"])
def upgrade(
    request: pytest.FixtureRequest,
    settings: Settings,
    embedded_redis: EmbeddedRedis,
    previous: Path,
) -> Iterator[Upgrade]:
    chosen: dict[str, object] = {
        f"{name}_watch_port": free_port() for name in ("listener", "worklist")
    }
    # Short turns: what a worker has begun it ends before it stops.
    chosen["batch_images"] = 2
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        chosen["database_url"] = url.replace("postgresql://", "postgresql+psycopg://")
    opened = Upgrade(settings.model_copy(update=chosen), previous)
    yield opened
    opened.stop()


# Ten processes start one after the other, each of which loads what it works with.
@pytest.mark.timeout(900)
def test_an_upgrade_with_traffic_running_loses_nothing_and_can_be_taken_back(
    upgrade: Upgrade, tmp_path: Path
) -> None:
    for command in ("listen", "work", "serve"):
        upgrade.begin(OLD, command)
    wait_until(upgrade.listens, 60, "the door answers")
    with Traffic(upgrade, tmp_path / "films") as traffic:
        upgrade.wait_until_scores(OLD)

        # The new release migrates, and the one after it: the old processes notice nothing.
        migrated = upgrade.run(NEW, "migrate")
        assert migrated.returncode == 0, migrated.stderr
        migrations.upgrade(upgrade.records, config=later_release(tmp_path / "later"))
        assert upgrade.records.schema().newest == "9999"
        assert upgrade.ended() == []
        traffic.wait_for_more()
        upgrade.wait_until_scores(OLD)
        assert upgrade.ready("listener")
        assert upgrade.ready("worklist")
        assert upgrade.lists(traffic.studies[-1])
        # One that dies is started again by its supervisor, of whatever release.
        upgrade.kill("old-listen")
        upgrade.begin(OLD, "listen")
        traffic.wait_for_more()
        assert upgrade.run(OLD, "migrate").returncode == 0

        # One after the other is replaced, the worker by one beside it.
        upgrade.begin(NEW, "work")
        upgrade.replace("listen", OLD, NEW)
        upgrade.replace("serve", OLD, NEW)
        upgrade.wait_until_scores(NEW)
        upgrade.end(OLD, "work")
        traffic.wait_for_more()
        upgrade.wait_until_scores(NEW)
        wait_until(lambda: upgrade.ready("worklist"), 60, "the new worklist")
        assert upgrade.lists(traffic.studies[-1])

        # And back, as if the new release did not please.
        upgrade.begin(OLD, "work")
        upgrade.replace("listen", NEW, OLD)
        upgrade.replace("serve", NEW, OLD)
        upgrade.wait_until_scores(OLD)
        upgrade.end(NEW, "work")
        traffic.wait_for_more()
        upgrade.wait_until_scores(OLD)
    images = len(traffic.acknowledged)
    assert len(set(traffic.acknowledged)) == images
    upgrade.wait_until_screened(images, 240)
    found = {i.sop_instance_uid for d in upgrade.dossiers() for i in d.images}
    assert found == set(traffic.acknowledged)
    upgrade.assert_scored_once(images)
    assert upgrade.ended() == []
    for release in (OLD, NEW):
        ledger = upgrade.ledger(release)
        assert (ledger["adds_up"], ledger["complete"]) == (True, True)
        assert (ledger["images"]["received"], ledger["images"]["scored"]) == (images, images)
    print(f"{images} images, {traffic.repeats} repeats")


def test_the_archive_is_the_code_of_the_release() -> None:
    assert re.fullmatch("[0-9a-f]{40}", commit())
    held = contents()
    assert {"screening/errors.py", "worker/pipeline.py", "migrations/env.py"} <= set(held)
    assert not [name for name in held if "bundles" in name], "weights are not kept twice"
    where = ["git", "-C", str(ROOT)]
    known = subprocess.run([*where, "cat-file", "-e", f"{commit()}^{{commit}}"], check=False)
    if known.returncode:
        return  # a checkout without history: the rest of this file still runs the archive
    for name in ("screening/errors.py", "worker/pipeline.py", "dicom_listener/store.py"):
        command = [*where, "show", f"{commit()}:{name}"]
        told = subprocess.run(command, capture_output=True, check=True, env=dict(os.environ))
        assert told.stdout == held[name]
