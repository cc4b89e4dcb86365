"""An installation on several hosts: PostgreSQL and Redis on one, and one archive for all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import redis

import migrations
from benchmarks.apparatus.hosts import Host, Network
from benchmarks.apparatus.postgresql import PostgreSQL
from screening.archive.folder_archive import FolderArchive
from screening.errors import DependencyError
from screening.queue.embedded import find_server
from screening.records.engine import Records

_DICOM_PORT = 11112
_REDIS_PORT = 6379


class Site:
    """A network with a host for PostgreSQL and Redis, and as many others as are asked for.

    Attributes
    ----------
    store
        The host of PostgreSQL and Redis.
    records, archive
        Open, from this machine.
    """

    def __init__(self, network: Network, folder: Path, server: PostgreSQL, store: Host) -> None:
        self._network = network
        self.store = store
        self.settings = {
            "database_url": server.url.replace("postgresql://", "postgresql+psycopg://"),
            "redis_url": f"redis://{store.address}:{_REDIS_PORT}/0",
            "open_to_all": "true",
            "minimum_free_gigabytes": "0",
            "study_quiet_seconds": "1",
            "sweep_seconds": "1",
            "lease_seconds": "10",
            # One each: two cores cannot show what more processes on more machines do.
            "worker_processes": "1",
            "worker_threads": "1",
            # Phantoms are drawn: a classifier may rightly find them unlike its radiographs.
            "abstain_unlike": "false",
            # A kill counts as an attempt at each image that was claimed.
            "maximum_attempts": "50",
        }
        self.records = Records(self.settings["database_url"])
        migrations.upgrade(self.records)
        shared = folder / "shared"
        shared.mkdir()
        self.settings["archive_url"] = f"file://{shared}"
        self.archive = FolderArchive(shared, host="here")
        self.archive.create()

    def host(self, name: str) -> Host:
        """Add a host that has a data folder of its own and the archive that all share."""
        return self._network.host(name)

    def run(self, host: Host, command: str) -> None:
        """Start one of our processes on a host."""
        host.start(command, settings=self._settings_of(host))

    def environment(self, host: Host) -> dict[str, str]:
        """Return the environment of a command on a host."""
        return host.environment(self._settings_of(host))

    def _settings_of(self, host: Host) -> dict[str, str]:
        own = {
            "data_dir": str(host.folder / "data"),
            "dicom_host": host.address,
            "dicom_port": str(_DICOM_PORT),
        }
        return self.settings | own

    def flush_redis_if_there(self) -> None:
        """Have Redis forget every message, unless its host is cut off."""
        with (
            suppress(redis.RedisError),
            redis.Redis(self.store.address, _REDIS_PORT, socket_timeout=2) as client,
        ):
            client.flushall()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Have a network with PostgreSQL and Redis, for as long as the block lasts."""
    with Network(folder) as network:
        store = network.host("store")
        shutil.chown(store.folder, "postgres")
        server = PostgreSQL(store.folder, address=store.address, within=store.within)
        server.start()
        try:
            (store.folder / "redis").mkdir()
            store.start(
                str(find_server()),
                *("--bind", store.address, "--port", str(_REDIS_PORT)),
                *("--protected-mode", "no", "--dir", str(store.folder / "redis")),
            )
            _wait_for_redis(store)
            found = Site(network, folder, server, store)
            with closing(found.records):
                yield found
        finally:
            server.stop()


def _wait_for_redis(store: Host) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with (
            suppress(redis.RedisError),
            redis.Redis(store.address, _REDIS_PORT, socket_timeout=2) as client,
        ):
            client.ping()
            return
        time.sleep(0.1)
    raise DependencyError("Redis did not answer in 30 s")
