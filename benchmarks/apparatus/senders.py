"""Who sends: DCMTK's storescu, or where it is not installed, our own SCU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.apparatus.process import NODELAY
from benchmarks.apparatus.report import BenchmarkError

_STORESCU = "storescu"


def sender_name() -> str:
    """Return who sends on this machine."""
    return "DCMTK storescu, TCP_NODELAY=1" if shutil.which(_STORESCU) else "pacs.send"


def send(port: int, parts: Sequence[Sequence[Path]], *, nodelay: bool = True) -> float:
    """Send each part over an association of its own, all at the same time.

    Parameters
    ----------
    port
        Of the receiver, on loopback.
    parts
        The files of each association.
    nodelay
        Whether small packets are sent at once.

    Returns
    -------
    float
        Seconds until the last association was released. The start of storescu's processes counts,
        that of Python does not.

    Raises
    ------
    BenchmarkError
        If an image was not accepted.
    """
    if shutil.which(_STORESCU):
        command = [_STORESCU, "-aec", "NIGHTREAD", "127.0.0.1", str(port)]
        began = time.perf_counter()
        processes = [_start([*command, *part], nodelay) for part in parts]
    else:
        script = Path(__file__).with_name("own_sender.py")
        command = [sys.executable, "-P", str(script), str(port)]
        processes = [_start([*command, *part], nodelay) for part in parts]
        _wait_until_ready(processes)
        began = time.perf_counter()
    return _finish(processes) - began


def in_parts(paths: Sequence[Path], count: int) -> list[Sequence[Path]]:
    """Cut files into `count` parts of one length, in their order."""
    length = len(paths) // count
    return [paths[part * length : (part + 1) * length] for part in range(count)]


def _start(command: Sequence[str | Path], nodelay: bool) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=os.environ | (NODELAY if nodelay else {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_until_ready(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()


def _finish(processes: Sequence[subprocess.Popen[str]]) -> float:
    """Let the senders go, and return when the last of them had ended."""
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in processes:
            process.wait()
        ended = time.perf_counter()
        failed = [process for process in processes if process.returncode]
        if failed:
            assert failed[0].stdout is not None
            raise BenchmarkError(f"not everything was sent: {failed[0].stdout.read().strip()}")
        return ended
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
