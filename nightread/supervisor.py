"""All processes of one machine: started in order, kept alive, stopped in order."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dicom_listener.address import require_free
from nightread.child import Child
from nightread.migrate import migrate_records
from nightread.named_files import require_files
from nightread.own_address import own_address
from screening.errors import DependencyError
from screening.settings import Settings

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.2
# The longest that each process may take to finish what it is at.
_STOP_SECONDS = {
    "worklist": 10.0,
    "courier": 10.0,
    "night": 45.0,  # one file may be on its way out of a store, for as long as that may take
    "feed of patients": 10.0,
    "audit relay": 10.0,
    "listener": 10.0,
    "worker": 30.0,
    "private Redis": 15.0,
}

Say = Callable[[str], None]


class Supervisor:
    """The listener, the worker and, as the settings ask for them, the other processes.

    Parameters
    ----------
    settings
        Of this machine; the processes read the same from ``environment``.
    say
        Takes each sentence for the operator.
    environment
        Of the processes; by default our own.
    logs
        Folder for their output; by default it goes to our stderr.
    """

    def __init__(
        self,
        settings: Settings,
        say: Say,
        *,
        environment: Mapping[str, str] | None = None,
        logs: Path | None = None,
    ) -> None:
        self._settings = settings
        self._say = say
        self._stopped = False
        chosen = os.environ if environment is None else environment

        def child(command: str, name: str) -> Child:
            log = f"{command.replace(' ', '-')}.log"
            return Child(command, name, chosen, logs / log if logs else None)

        self._redis = None if settings.redis_url else child("broker", "private Redis")
        self._worker = child("work", "worker")
        self._listener = child("listen", "listener")
        self._worklist = child("serve", "worklist") if settings.worklist_port else None
        self._courier = child("deliver", "courier") if settings.destinations_file else None
        needs_night = settings.sources_file or settings.retention_file
        self._night = child("night", "night") if needs_night else None
        self._adt = child("adt", "feed of patients") if settings.adt_port else None
        self._relay = child("audit relay", "audit relay") if settings.audit_syslog else None

    def start(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Bring the database up to date, start everything and wait until all of it answers.

        Parameters
        ----------
        wanted
            Asked while waiting: false gives up without an error.

        Raises
        ------
        NightreadError
            If something does not start; what did is stopped again.
        """
        for port in filter(None, (self._settings.dicom_port, self._settings.tls_port)):
            require_free(self._settings.dicom_host, port)
        if self._worklist is not None:
            require_free(
                self._settings.worklist_host,
                self._settings.worklist_port,
                "NIGHTREAD_WORKLIST_PORT",
            )
        require_files(self._settings)
        migrate_records(self._settings, self._say)
        try:
            if self._redis is not None:
                self._redis.start()
                self._wait_for(self._redis, self._redis_answers, wanted)
            self._worker.start()
            self._listener.start()
            for child in filter(None, self._others):
                child.start()
            self._wait_for(self._listener, self._door_answers, wanted)
            if self._worklist is not None:
                self._wait_for(self._worklist, self._worklist_answers, wanted)
            self._wait_for(self._worker, self._worker_answers, wanted)
        except BaseException:
            self.stop()
            raise

    def watch(self) -> None:
        """Start again what has ended; to be called a few times a second."""
        for child in self._children():
            event = child.watch()
            if event is not None:
                self._say(event)

    def stop(self) -> None:
        """Stop the listener, then the worker, then Redis: each may finish, for a bounded time."""
        if self._stopped:
            return
        self._stopped = True
        # The worker needs the longest: it hears of the end together with the listener.
        self._listener.terminate()
        self._worker.terminate()
        for child in self._children():
            child.terminate()
            patience = _STOP_SECONDS[child.name]
            if child is self._listener:
                patience += self._settings.drain_seconds
            if not child.wait(patience):
                self._say(
                    f"the {child.name} did not end in time and was killed; nothing is lost: what "
                    "was received waits for the next start"
                )

    @property
    def _others(self) -> tuple[Child | None, ...]:
        return (self._worklist, self._courier, self._night, self._adt, self._relay)

    def _children(self) -> list[Child]:
        """Return the processes in the order in which they are stopped."""
        wanted = (
            *self._others,
            *(self._listener, self._worker, self._redis),
        )
        return [child for child in wanted if child is not None]

    def _wait_for(
        self, child: Child, answers: Callable[[], bool], wanted: Callable[[], bool]
    ) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while wanted():
            if not child.is_running():
                raise DependencyError(f"the {child.name} did not start: {child.last_words()}")
            if answers():
                return
            if time.monotonic() > deadline:
                raise DependencyError(
                    f"the {child.name} is not ready after {_READY_SECONDS:.0f} s: is the machine "
                    "overloaded? nightread doctor checks what it needs"
                )
            time.sleep(_POLL_SECONDS)

    def _redis_answers(self) -> bool:
        import redis

        path = str(self._settings.embedded_redis_socket)
        with redis.Redis(unix_socket_path=path) as client:
            try:
                return bool(client.ping())
            except redis.exceptions.RedisError:
                return False

    def _door_answers(self) -> bool:
        settings = self._settings
        return _answers(settings.dicom_host, settings.dicom_port or settings.tls_port)

    def _worklist_answers(self) -> bool:
        return _answers(self._settings.worklist_host, self._settings.worklist_port)

    def _worker_answers(self) -> bool:
        from kombu.exceptions import OperationalError

        from screening.queue.app import make_app

        app = make_app(self._settings.broker_url, lease_seconds=self._settings.lease_seconds)
        try:
            return bool(app.control.ping(timeout=1, limit=1))
        except OperationalError:
            return False
        finally:
            app.close()


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((own_address(host), port), timeout=1):
            return True
    except OSError:
        return False
