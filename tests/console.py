"""The console as its user meets it: a process with an exit code, stdout and stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(**settings: object) -> dict[str, str]:
    """Return our environment with ``NIGHTREAD_`` settings of a test, and our packages on it."""
    settings = {"worker_threads": 1} | settings  # see conftest: threads spin
    chosen = {f"NIGHTREAD_{name.upper()}": str(value) for name, value in settings.items()}
    return os.environ | {"PYTHONPATH": str(ROOT)} | chosen


def nightread(
    *arguments: object, cwd: Path, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end in a working folder of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "nightread", *map(str, arguments)],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def leave_early(*arguments: object, cwd: Path, **settings: object) -> tuple[int, bytes]:
    """Read the first bytes that a command writes and no more; return its exit code and stderr."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "nightread", *map(str, arguments)],
        cwd=cwd,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read()
        return process.wait(), said
