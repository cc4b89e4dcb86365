from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import free_port, wait_until
from console import environment, nightread
from processes import Process, children, descendants

from dicom_listener.address import require_free
from nightread.data_folder import held
from nightread.own_address import own_address
from screening.errors import DependencyError


class Up:
    """A running ``nightread up`` and everything it started."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "up.log"
        self.chosen = {
            "data_dir": folder / "data",
            "dicom_port": self.port,
            "worklist_port": free_port(),
            "minimum_free_gigabytes": 0,
            "destinations_file": folder / "destinations.toml",
        }
        self.chosen["destinations_file"].write_text(
            "[[webhook]]\nname='pager'\nsecret='of 16 characters'\n"
            f"url='http://127.0.0.1:{self.chosen['worklist_port']}'\n"
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nightread", "up"],
                cwd=folder,
                env=environment(**self.chosen),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_ready(self) -> None:
        wait_until(lambda: "ready: " in self.said() or self.process.poll() is not None, 90, "ready")
        assert self.process.poll() is None, self.said()

    def everything(self) -> list[Process]:
        return descendants(self.process.pid)

    def worker(self) -> Process:
        """Return the worker's main process."""
        (found,) = [child for child in children(self.process.pid) if "work" in child.command()]
        return found

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path)
    started: list[Process] = []
    try:
        running.wait_until_ready()
        started = running.everything()
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()
        for process in started:
            process.kill()


def all_gone(processes: list[Process]) -> bool:
    return not any(process.runs() for process in processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_everything_in_order(up: Up, number: signal.Signals) -> None:
    everything = up.everything()
    assert up.listens()
    wait_until(lambda: '"courier_ready"' in up.said(), 30, "the courier is ready")
    up.process.send_signal(number)
    assert up.process.wait(120) == 0
    assert all_gone(everything)
    assert up.said().rstrip().endswith("stopped")
    assert "Traceback" not in up.said()
    assert "killed" not in up.said()


def test_what_dies_is_started_again_and_said(up: Up) -> None:
    worker = up.worker()
    pool = descendants(worker.pid)
    assert pool
    worker.kill()
    wait_until(lambda: all_gone(pool), 10, "its pool ends with it")
    wait_until(lambda: up.said().count('"worker_ready"') == 2, 60, "a new worker is ready")
    assert "the worker ended (signal SIGKILL); starting it again in 1 s" in up.said()
    assert up.listens()


def test_nothing_outlives_a_killed_supervisor(up: Up, tmp_path: Path) -> None:
    everything = up.everything()
    assert len(everything) >= 4  # Redis and who holds it, the listener, the worker
    up.process.kill()
    wait_until(lambda: all_gone(everything), 40, "its processes end")
    again = Up(tmp_path)
    try:
        again.wait_until_ready()
    finally:
        again.process.terminate()
        assert again.process.wait(60) == 0


def test_a_second_one_on_the_same_folder_is_refused(up: Up, tmp_path: Path) -> None:
    other = up.chosen | {"dicom_port": free_port(), "worklist_port": free_port()}
    ran = nightread("up", cwd=tmp_path, **other)
    assert ran.returncode == 1
    assert f"nightread up already runs on {up.chosen['data_dir']}" in ran.stderr
    assert f"(process {up.process.pid})" in ran.stderr
    assert "NIGHTREAD_DATA_DIR" in ran.stderr
    assert up.listens()


def test_the_doctor_finds_everything_running(up: Up, tmp_path: Path) -> None:
    ran = nightread("doctor", cwd=tmp_path, **up.chosen)
    assert ran.returncode == 0, ran.stdout
    words = " ".join(ran.stdout.split())
    assert f"NIGHTREAD answers on 127.0.0.1 port {up.port}" in words
    assert "ok worker 1 answering" in words
    assert "ok waiting images none" in words


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = nightread(
            "up", cwd=tmp_path, data_dir=tmp_path / "data", dicom_port=port, worklist_port=0
        )
    assert ran.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: " in ran.stderr
    assert "NIGHTREAD_DICOM_PORT" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_process_that_does_not_start_ends_it_with_the_reason(tmp_path: Path) -> None:
    ran = nightread(
        "up",
        cwd=tmp_path,
        data_dir=tmp_path / "data",
        dicom_port=free_port(),
        worklist_port=free_port(),
        model=tmp_path / "no-such-bundle",
    )
    assert ran.returncode == 1
    assert "no model bundle" in ran.stderr
    assert "error: the worker did not start: it says why above" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = nightread(
        "up", cwd=tmp_path, data_dir=tmp_path / "file/data", dicom_port=free_port(), worklist_port=0
    )
    assert ran.returncode == 1
    assert "cannot make NIGHTREAD_DATA_DIR" in ran.stderr


def test_a_folder_is_let_go_when_its_holder_is_done(tmp_path: Path) -> None:
    with (
        held(tmp_path),
        pytest.raises(DependencyError, match=f"process {os.getpid()}"),
        held(tmp_path),
    ):
        pass
    with held(tmp_path):
        pass


def test_the_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    with held(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("listens_on", "called"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")]
)
def test_our_own_listener_is_called_where_it_can_be_reached(listens_on: str, called: str) -> None:
    assert own_address(listens_on) == called


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(DependencyError, match="NIGHTREAD_DICOM_HOST"):
        require_free("no.such.host.invalid", 11112)
