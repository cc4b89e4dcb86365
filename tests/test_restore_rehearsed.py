"""A disaster from its first moment to the next image: what docs/disasters.md says, done."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from console import ROOT
from filed_cases import SCORER
from installation import Installation
from sqlalchemy import select

from phantoms.load import write_load
from screening.dicom.header import read_header
from screening.domain.instance import InstanceState
from screening.domain.prediction import Prediction
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.records.results import record_results
from screening.records.schema import InstanceRow
from screening.settings import Settings


class Site:
    """An installation as its administrator has it: commands over its settings."""

    def __init__(self, settings: Settings, redis: EmbeddedRedis) -> None:
        self.installation, self.settings, self._redis = Installation(settings), settings, redis

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "nightread", *map(str, arguments)],
            cwd=self.settings.data_dir.parent,
            env=self.installation.environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def open(self, *commands: str) -> None:
        for command in commands:
            self.installation.start(command)
        wait_until(self.installation.listens, 60, "the door answers")

    def burn_down(self) -> None:
        """Kill everything at once, and leave nothing of its disk and its database."""
        for name in list(self.installation.processes):
            self.installation.kill(name)
        self._redis.stop()
        self.installation.records.close()
        shutil.rmtree(self.settings.data_dir)
        if self.settings.database_url:
            records = Records(self.settings.records_url)
            with records.write() as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                connection.exec_driver_sql("CREATE SCHEMA public")
            records.close()

    def rise(self) -> None:
        """Start again, on what was restored."""
        self._redis.start()
        self.installation = Installation(self.settings)
        self.open("listen", "work")

    def files(self) -> list[Path]:
        return list((self.settings.archive_dir / "instances").rglob("*.dcm"))


@pytest.fixture(params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, settings: Settings, embedded_redis: EmbeddedRedis
) -> Iterator[Site]:
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        chosen = {"database_url": url.replace("postgresql://", "postgresql+psycopg://")}
        settings = settings.model_copy(update=chosen)
    made = Site(settings, embedded_redis)
    yield made
    made.installation.stop()


def score(records: Records) -> None:
    """Give every image that waits a score, as a worker would that need not be started for it."""
    with records.begin() as session:
        waiting = session.execute(
            select(InstanceRow.study_row, InstanceRow.id).where(
                InstanceRow.state == InstanceState.WAITING.value
            )
        ).all()
        for study, row in waiting:
            now = dt.datetime.now(dt.UTC)
            record_results(session, study, {row: Prediction(0.1)}, SCORER, now)


@pytest.mark.timeout(600)
def test_a_site_that_burnt_down_is_restored_and_goes_on(site: Site, tmp_path: Path) -> None:
    films = write_load(tmp_path / "films", 12, 1, side=96)
    site.open("listen")
    site.installation.send(films[:6])
    score(site.installation.records)
    backup = tmp_path / "backup"
    assert site.run("backup", backup).returncode == 0
    # The records are of 22:00. What copies the archive's disk runs more often, and lost two files.
    site.installation.send(films[6:9])
    score(site.installation.records)
    shutil.rmtree(backup / "archive")
    shutil.copytree(site.settings.archive_dir, backup / "archive")
    digests = {
        image.sop_instance_uid: image.digest
        for dossier in site.installation.dossiers()
        for image in dossier.images
    }
    gone, hurt = (digests[read_header(film).sop_instance_uid] for film in films[:2])
    kept = backup / "archive" / "instances"
    (kept / gone[:2] / f"{gone}.dcm").unlink()
    damaged = kept / hurt[:2] / f"{hurt}.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-2] + b"\1\1")

    site.burn_down()
    assert not site.settings.data_dir.exists()
    restored = site.run("restore", backup)
    assert restored.returncode == 0, restored.stderr
    assert site.run("migrate").returncode == 0
    again = tmp_path / "again.csv"
    verified = site.run("verify", "--digests", "--missing-csv", again, "--json")
    told = json.loads(verified.stdout)
    assert (verified.returncode, told["files"]) == (1, 6)
    assert {each["file"] for each in told["troubles"]} == {gone, hurt}
    assert len(told["without_record"]) == 3
    with again.open() as lines:
        wanted = list(csv.DictReader(lines))
    headers = [read_header(film) for film in films[:2]]
    assert {line["study_instance_uid"] for line in wanted} == {
        header.study_instance_uid for header in headers
    }
    assert all(line["accession_number"].startswith("PHANTOM-L") for line in wanted)
    assert [line["images"] for line in wanted] == ["1", "1"]
    assert again.stat().st_mode & 0o777 == 0o600
    assert "there already" in site.run("verify", "--missing-csv", again).stderr

    for path in site.files():
        # As after a restore that took a minute: what has just come is another listener's.
        os.utime(path, (time.time() - 60,) * 2)
    site.rise()
    wait_until(lambda: site.installation.tally().received == 9, 60, "three are adopted")
    # The PACS sends what it was asked for, and then what is new.
    site.installation.send(films[:2])
    assert site.run("verify", "--digests").returncode == 0
    site.installation.send(films[9:])
    site.installation.wait_until_screened(12, 240)
    site.installation.assert_scored_once(12)
    ledger = site.run("ledger", "--json")
    assert ledger.returncode == 0, ledger.stdout
    assert json.loads(ledger.stdout)["complete"] is True
