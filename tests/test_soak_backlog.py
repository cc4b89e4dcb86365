"""A backlog is screened while workers are killed and servers restarted: each image once.

The short form is a part of the tests; the long one, of 10,000 studies and three workers, is run by
``make soak``.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from conftest import require
from installation import Installation
from reading_room import file_data_set, now

from benchmarks.apparatus.postgresql import PostgreSQL, find_programs
from phantoms.load import small_study
from screening.archive.folder_archive import FolderArchive
from screening.domain.instance import InstanceState
from screening.queue.embedded import EmbeddedRedis
from screening.records.association import Caller, open_association
from screening.records.entries import read_entries
from screening.records.ledger import read_ledger
from screening.settings import Settings


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[PostgreSQL]:
    """A cluster that may be restarted."""
    folder = tmp_path / "postgresql"
    folder.mkdir()
    require(find_programs(), "no PostgreSQL: install Debian's postgresql")
    server = PostgreSQL(folder)
    server.start()
    yield server
    server.stop()


def fill(installation: Installation, studies: int) -> None:
    """Put studies of one image each into archive and records, as a listener would."""
    archive = FolderArchive(installation.settings.archive_dir)
    with installation.records.begin() as session:
        caller = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:1")
        association = open_association(session, caller, now())
    for first in range(0, studies, 100):
        with installation.records.begin() as session:
            for index in range(first, min(first + 100, studies)):
                (ds,) = small_study(index, 1, side=128)
                file_data_set(session, archive, ds, association)


class Faults:
    """Kills a worker every few seconds, and restarts or empties a server in between."""

    def __init__(
        self,
        installation: Installation,
        server: EmbeddedRedis,
        database: PostgreSQL,
        workers: int,
    ) -> None:
        self._installation = installation
        self._redis, self._database = server, database
        self._workers = [f"work-{number}" for number in range(workers)]
        self._rng = random.Random(3)
        self._servers = iter([self._restart_redis, self._empty, self._restart_database])
        self.kills = 0

    def start(self) -> None:
        for name in self._workers:
            self._installation.start("work", name)

    def revive(self) -> None:
        """Start again what ended since the database was away at its start, as ``up`` does."""
        for name in self._installation.ended():
            self._installation.start("work", name)

    def strike(self) -> None:
        name = self._rng.choice(self._workers)
        self._installation.kill(name)
        self._installation.start("work", name)
        self.kills += 1
        fault = next(self._servers, None)
        if fault is not None:
            fault()

    def _restart_redis(self) -> None:
        self._redis.stop()
        time.sleep(1)
        self._redis.start()

    def _empty(self) -> None:
        self._restart_redis()
        socket = str(self._installation.settings.embedded_redis_socket)
        with redis.Redis(unix_socket_path=socket) as client:
            client.flushall()

    def _restart_database(self) -> None:
        self._database.stop()
        time.sleep(1)
        self._database.start()


def screen_a_backlog(
    settings: Settings,
    server: EmbeddedRedis,
    database: PostgreSQL,
    *,
    studies: int,
    workers: int,
    seconds_between: float,
    kills: int,
) -> None:
    # A kill counts as an attempt at each image that was claimed; here there are many kills.
    chosen = {"database_url": database.url.replace("postgresql:", "postgresql+psycopg:")}
    settings = settings.model_copy(update={**chosen, "maximum_attempts": 100})
    installation = Installation(settings)
    fill(installation, studies)
    faults = Faults(installation, server, database, workers)
    faults.start()
    try:
        began = struck = time.monotonic()
        while (left := installation.tally().waiting) and time.monotonic() - began < 3600:
            time.sleep(0.5)
            faults.revive()
            is_time = time.monotonic() - struck > seconds_between
            # Spread over the backlog, however fast this machine is.
            is_due = studies - left > studies * faults.kills / (kills + 1)
            if is_due and is_time and faults.kills < kills:
                faults.strike()
                struck = time.monotonic()
    finally:
        installation.stop()
    print(f"{studies} studies, {faults.kills} kills, {time.monotonic() - began:.0f} s")
    require_once(settings, studies)
    assert faults.kills >= min(kills, 3), "every fault was met"


def require_once(settings: Settings, studies: int) -> None:
    """Each image has exactly one score of the one model, or one reason, and the books balance."""
    records = Installation(settings).records
    with records.read() as session:
        ledger = read_ledger(session, dt.datetime.now(dt.UTC))
        entries = list(read_entries(session))
    records.close()
    assert ledger.adds_up, ledger.discrepancies
    assert ledger.is_complete
    assert len(entries) == studies
    assert {entry.state for entry in entries} == {InstanceState.SCORED}


def test_a_backlog_is_screened_while_workers_and_servers_fail(
    settings: Settings, embedded_redis: EmbeddedRedis, own_postgresql: PostgreSQL
) -> None:
    screen_a_backlog(
        settings,
        embedded_redis,
        own_postgresql,
        studies=60,
        workers=2,
        seconds_between=2,
        kills=4,
    )


@pytest.mark.soak
def test_ten_thousand_studies_are_screened_while_workers_and_servers_fail(
    settings: Settings, embedded_redis: EmbeddedRedis, own_postgresql: PostgreSQL
) -> None:
    screen_a_backlog(
        settings,
        embedded_redis,
        own_postgresql,
        studies=10_000,
        workers=3,
        seconds_between=20,
        kills=10_000,
    )
