"""The real listener, killed by SIGKILL just before or just after the n-th call of one function.

As a program it reads faults from its standard input, one a line, and forks a listener for each:
what takes a second to import is imported once. It prints the listener's process number, and its
wait status when it has ended.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from celery import Celery
from sqlalchemy.engine.default import DefaultDialect

from dicom_listener import process
from dicom_listener.wire import Wire
from screening.archive.archive import Archive
from screening.archive.incoming_file import IncomingFile
from screening.records import association as associations
from screening.records import outbox
from screening.settings import Settings


@dataclass(frozen=True)
class Fault:
    """Where a listener dies.

    Attributes
    ----------
    point
        One of `POINTS`; empty where it does not.
    moment
        ``before`` or ``after`` the call.
    call
        Which call, counted from the first image on.
    """

    point: str = ""
    moment: str = "before"
    call: int = 1


NO_FAULT = Fault()


def _of_a_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _any(*arguments: object, **named: object) -> bool:
    return True


POINTS: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "write": (IncomingFile, "write", _any),
    "file fsync": (os, "fsync", lambda descriptor: not _of_a_folder(descriptor)),
    "rename": (Path, "replace", _any),
    "folder fsync": (os, "fsync", _of_a_folder),
    "commit": (DefaultDialect, "do_commit", _any),
    "response": (Wire, "send", _any),
    "end": (associations, "close_association", _any),
    "publish": (Celery, "send_task", _any),
    "mark sent": (outbox, "mark_sent", _any),
}
"""What to wrap, and which of its calls count."""


def _arm(fault: Fault) -> None:
    owner, name, counts = POINTS[fault.point]
    genuine, receive = getattr(owner, name), Archive.receive
    armed = False
    calls = 0

    def arrive(archive: Archive, meta: bytes, transfer_syntax_uid: str) -> IncomingFile:
        nonlocal armed
        armed = True
        return receive(archive, meta, transfer_syntax_uid)

    def deadly(*arguments: object, **named: object) -> object:
        nonlocal calls
        counted = armed and counts(*arguments, **named)
        calls += counted
        now = counted and calls == fault.call
        if now and fault.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = genuine(*arguments, **named)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)
    Archive.receive = arrive  # type: ignore[assignment,method-assign]


class ListenerFork:
    """Starts listeners of which each dies of its fault; one lives at a time."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._program = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self.pid = 0

    def __enter__(self) -> ListenerFork:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.pid:
            self.end(signal.SIGKILL)
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait(10)
        self._program.stdout.close()
        self._log.close()

    def start(self, settings: Settings, fault: Fault = NO_FAULT) -> None:
        """Start a listener; it listens a moment later."""
        chosen = settings.model_dump(mode="json", exclude_defaults=True)
        line = json.dumps({"settings": chosen, "fault": asdict(fault)})
        assert self._program.stdin is not None
        print(line, file=self._program.stdin, flush=True)
        self.pid = self._number()

    def wait(self) -> int:
        """Wait for the listener's end, and return its exit code; minus the signal if killed."""
        self.pid = 0
        return os.waitstatus_to_exitcode(self._number())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the listener a signal and wait for its end."""
        os.kill(self.pid, number)
        return self.wait()

    def _number(self) -> int:
        assert self._program.stdout is not None
        return int(self._program.stdout.readline())


def _main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            fault = Fault(**asked["fault"])
            if fault.point:
                _arm(fault)
            process.run(Settings(**asked["settings"]))
            os._exit(0)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _main()
