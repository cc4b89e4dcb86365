"""Programs that a benchmark starts: waited for, looked at, and ended with it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.apparatus.report import BenchmarkError

_STOP_SECONDS = 20.0
_READY_SECONDS = 60.0

NODELAY = {"TCP_NODELAY": "1"}
"""Has DCMTK, and Orthanc through it, send small packets at once. Without it Debian's builds wait
about 40 ms for an acknowledgement with each instance."""


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and end it with all that it started.

    Parameters
    ----------
    command
        The program and its arguments.
    log
        File for its output.
    environment
        What is added to our own.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A group of its own, which can be ended as one.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = _READY_SECONDS) -> None:
    """Wait for a condition.

    Raises
    ------
    BenchmarkError
        If it does not come; the message says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def free_port() -> int:
    """Return a TCP port on loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Say whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def peak_megabytes(process: subprocess.Popen[bytes]) -> float:
    """Return the most memory that a running process, or a child of it, ever held.

    In 10^6 bytes; VmHWM of proc(5).
    """
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return max(_peak(pid) for pid in (process.pid, *map(int, children)))


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)
    if found is None:
        raise BenchmarkError(f"process {pid} ended while it was measured")
    return int(found.group(1)) * 1024 / 1e6
