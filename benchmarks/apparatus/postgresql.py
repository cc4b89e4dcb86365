"""A PostgreSQL cluster of one's own, in a folder, on loopback."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from screening.errors import DependencyError

_START_SECONDS = 120.0


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, ``None`` where it is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(programs[-1]) if programs else shutil.which("initdb")
    return Path(found).parent if found else None


class PostgreSQL:
    """A cluster that can be stopped and started again.

    Parameters
    ----------
    folder
        Of its own; empty.
    address
        Where it listens.
    within
        What to say before its command, to have it run on a host of its own; empty: here.

    Raises
    ------
    DependencyError
        If PostgreSQL is not installed.
    """

    def __init__(
        self, folder: Path, *, address: str = "127.0.0.1", within: Sequence[str] = ()
    ) -> None:
        programs = find_programs()
        if programs is None:
            raise DependencyError("no PostgreSQL: install Debian's postgresql")
        self._programs, self._folder = programs, folder
        self._user = _unprivileged_user(folder)
        self._port = _lasting_port()
        self._address, self._within = address, within
        self.url = f"postgresql://test@{address}:{self._port}/postgres"
        subprocess.run(
            [
                *(self._programs / "initdb", "-D", folder / "data"),
                *("-U", "test", "-A", "trust", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd=folder,
        )
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        folder = self._folder
        self._server = subprocess.Popen(
            [
                *self._within,
                *(("setpriv", f"--reuid={self._user}", "--clear-groups") if self._user else ()),
                *(self._programs / "postgres", "-D", folder / "data"),
                *("-p", str(self._port), "-k", folder),
                *("-c", f"listen_addresses={self._address}", "-c", "max_connections=200"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not _connects(self.url):
            if time.monotonic() > deadline:
                raise DependencyError(f"PostgreSQL did not answer in {_START_SECONDS:.0f} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, its clients' connections too."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(30)


def _lasting_port() -> int:
    """Return a port for a server that is restarted.

    Below those that the kernel gives to clients (ip_local_port_range): one that knocks while the
    server is away could be given the very port that it calls, and would keep it.
    """
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def _unprivileged_user(folder: Path) -> str | None:
    """Debian's initdb refuses root: let the package's own user have the folder."""
    if os.geteuid() != 0:
        return None
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):  # noqa: S108
            parent.chmod(parent.stat().st_mode | 0o011)
    shutil.chown(folder, "postgres")
    return pwd.getpwnam("postgres").pw_name


def _connects(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False
