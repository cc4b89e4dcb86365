"""Real servers for the tests: Redis, PostgreSQL, DCMTK, Orthanc; others stand with their tests.

On a person's machine a test whose server is missing skips with the reason; with CI=true it fails.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from patient_watch import (  # noqa: F401 - pytest finds them here
    pytest_configure,
    pytest_runtest_makereport,
    pytest_runtest_teardown,
)

import migrations
from benchmarks.apparatus.postgresql import PostgreSQL, find_programs
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.settings import Settings

# Several test processes share the cores, and torch's threads wait for each other by spinning: that
# took two thirds of all processor time. So one for each process, and for what it starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from faulty_wire import FaultyWire
    from orthanc_server import Orthanc
    from s3_server import S3Server


def require(condition: object, reason: str) -> None:
    """Skip on a person's machine, fail in CI, where every real part must be there."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: nothing real may be missing)")
    pytest.skip(reason)


def free_port() -> int:
    """Return a TCP port on loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    condition: Callable[[], object],
    seconds: float,
    what: str,
    state: Callable[[], object] = lambda: "",
) -> None:
    """Wait for a condition, and fail with ``what`` and the ``state`` when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what} {state()}")
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NIGHTREAD_")]:
        if name != "NIGHTREAD_TEST_DATA":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real radiographs and DICOM files, which the project does not contain."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NIGHTREAD_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}: name the folder in NIGHTREAD_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL cluster of its own, as the URL of its maintenance database."""
    require(find_programs(), "no PostgreSQL: install Debian's postgresql")
    server = PostgreSQL(tmp_path_factory.mktemp("postgresql"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """A new, empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return postgresql.rpartition("/")[0] + f"/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.sqlite'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    """Records on a new database of each kind, with the newest schema."""
    opened = Records(database_url)
    migrations.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a whole installation in a folder of its own, on a port of its own."""
    return Settings(
        data_dir=tmp_path / "data",
        dicom_port=free_port(),
        worklist_port=free_port(),
        minimum_free_gigabytes=0,
        study_quiet_seconds=1,
        sweep_seconds=1,
        lease_seconds=5,
        # Each scoring process and its reader import torch, which takes seconds.
        worker_processes=1,
        worker_threads=1,
        # The phantoms are drawn: a classifier may rightly find them unlike its radiographs.
        abstain_unlike=False,
    )


@pytest.fixture
def embedded_redis(settings: Settings) -> Iterator[EmbeddedRedis]:
    """A private Redis at the socket that `settings` names."""
    server = EmbeddedRedis(settings)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A store that speaks S3."""
    from s3_server import S3Server

    server = S3Server(free_port())
    wait_until(server.answers, 30, "the store answers")
    yield server
    server.stop()


@pytest.fixture
def wire(s3_server: S3Server) -> Iterator[FaultyWire]:
    """A wire to the store, which may fail."""
    from faulty_wire import FaultyWire

    opened = FaultyWire(s3_server.port)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def dcmtk() -> Path:
    """The folder of DCMTK's programs."""
    found = shutil.which("storescu")
    require(found, "no DCMTK: install Debian's dcmtk")
    assert found is not None
    return Path(found).parent


@pytest.fixture
def orthanc(tmp_path: Path, settings: Settings) -> Iterator[Orthanc]:
    """An Orthanc that knows our listener."""
    from orthanc_server import running_orthanc

    program = shutil.which("Orthanc")
    require(program, "no Orthanc: install Debian's orthanc")
    assert program is not None
    known: dict[str, list[str | int]] = {
        "nightread": ["NIGHTREAD", "127.0.0.1", settings.dicom_port]
    }
    with running_orthanc(program, tmp_path / "orthanc", known) as server:
        yield server
