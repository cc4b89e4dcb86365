"""One process of ours: started, watched, started again after a pause, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# A process that ran this long was well; the pauses begin again at the first.
_WELL_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


class Child:
    """A process that runs one command of this console.

    Parameters
    ----------
    command
        The console's command, for instance ``listen`` or ``audit relay``.
    name
        What it is called in messages.
    environment
        Its whole environment.
    log
        File for its output; ``None`` for our own stderr.
    """

    def __init__(
        self, command: str, name: str, environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause = _FIRST_PAUSE_SECONDS
        self._again_at: float | None = None

    def start(self) -> None:
        """Start the process, in a session of its own: a Ctrl-C is for its supervisor alone."""
        self._again_at = None
        self._started_at = time.monotonic()
        with contextlib.ExitStack() as stack:
            stderr = stack.enter_context(self.log.open("ab")) if self.log else None
            # -P: a folder named models or dl where the operator stands must not become a package.
            us = [sys.executable, "-P", "-m", "nightread"]
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [*us, *self._command.split(), "--parent", str(os.getpid())],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=stderr or sys.stderr.fileno(),
                stderr=stderr,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        """Say whether the process runs now."""
        return self._process is not None and self._process.poll() is None

    def watch(self) -> str | None:
        """Start the process again if it ended and its pause is over.

        Returns
        -------
        str or None
            What happened, as a sentence for the operator, if anything did.
        """
        if self.is_running():
            return None
        now = time.monotonic()
        if self._again_at is None:
            return self._plan_restart(now)
        if now >= self._again_at:
            self.start()
        return None

    def terminate(self) -> None:
        """Ask the process to finish what it is at and end."""
        if self.is_running():
            assert self._process is not None
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Wait until the process has ended; then, or when the time is over, end all it started.

        Returns
        -------
        bool
            Whether it ended by itself.
        """
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._end_group()
        return True

    def last_words(self) -> str:
        """Return the last line of its output, or where to find it."""
        if self.log is None:
            return "it says why above"
        lines = self.log.read_text(errors="replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{said.removeprefix('error: ')} (its log is {self.log})"

    def _plan_restart(self, now: float) -> str:
        assert self._process is not None
        self._end_group()
        if now - self._started_at > _WELL_SECONDS:
            self._pause = _FIRST_PAUSE_SECONDS
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        self._again_at = now + pause
        how = _how_it_ended(self._process.returncode)
        return f"the {self.name} ended ({how}); starting it again in {pause:.0f} s"

    def _end_group(self) -> None:
        """Kill what is left of the process and of its pool, which must not work unwatched."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"
