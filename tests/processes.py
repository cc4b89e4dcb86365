"""Processes as Linux shows them in /proc, for the tests that kill some."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process by its number and the moment of its start, since numbers are used again."""

    pid: int
    started: str

    def runs(self) -> bool:
        found = _status(self.pid)
        return found is not None and found[1] == self.started and found[0] != "Z"

    def command(self) -> list[str]:
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().decode().split("\0")

    def kill(self) -> None:
        if self.runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def children(pid: int) -> list[Process]:
    """Return the processes that a process started and that run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        status = _status(int(folder.name))
        if status is not None and status[2] == pid and status[0] != "Z":
            found.append(Process(int(folder.name), status[1]))
    return found


def descendants(pid: int) -> list[Process]:
    """Return all processes below a process."""
    below = children(pid)
    return below + [deeper for child in below for deeper in descendants(child.pid)]


def _status(pid: int) -> tuple[str, str, int] | None:
    """Return a process's state, start time and parent, see proc(5); ``None`` if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], fields[19], int(fields[1])
