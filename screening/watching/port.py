"""The port at which a monitor asks a process how it is: /healthz, /readyz and /metrics."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from screening.errors import NightreadError, SettingsError
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.counting import FOLDER
from screening.watching.state import State

log = structlog.get_logger(__name__)

_SECONDS = 10.0

Check = Callable[[], object]
"""Raises a NightreadError where the process cannot do its work."""


@contextmanager
def watched(
    settings: Settings, port: int, records: Records, checks: Mapping[str, Check]
) -> Iterator[None]:
    """Answer monitors while the block runs; nobody, where the port is 0.

    Parameters
    ----------
    port
        Of this process, at the settings' watch host.
    checks
        What the process cannot do without, by name.

    Raises
    ------
    SettingsError
        If the port cannot be had.
    """
    if not port:
        yield
        return
    registry = _registry(State(settings, records))

    class Asked(_Asked):
        def answers(self) -> dict[str, Callable[[], tuple[int, str, bytes]]]:
            return {
                "/healthz": lambda: (200, "text/plain; charset=utf-8", b"alive\n"),
                "/readyz": lambda: _ready(checks),
                "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            }

    try:
        server = ThreadingHTTPServer((settings.watch_host, port), Asked)
    except OSError as error:
        where = f"{settings.watch_host}:{port}"
        raise SettingsError(f"a monitor cannot be answered at {where}: {error.strerror}") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="watch port", daemon=True)
    thread.start()
    log.info("watched", host=settings.watch_host, port=port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_SECONDS)


class _Asked(BaseHTTPRequestHandler):
    """One question of a monitor."""

    timeout = _SECONDS
    server_version = "nightread"
    sys_version = ""

    def answers(self) -> dict[str, Callable[[], tuple[int, str, bytes]]]:
        raise NotImplementedError

    def do_GET(self) -> None:
        answer = self.answers().get(self.path.partition("?")[0])
        try:
            status, kind, content = answer() if answer else (404, "text/plain", b"")
        except Exception:
            # The message may hold anything; the monitor learns that it failed.
            log.exception("monitor_not_answered")
            status, kind, content = 500, "text/plain", b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log no line for each question."""


def _registry(state: State) -> CollectorRegistry:
    if FOLDER not in os.environ:
        registry: CollectorRegistry = REGISTRY
    else:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
    registry.register(state)
    return registry


def _ready(checks: Mapping[str, Check]) -> tuple[int, str, bytes]:
    said = {name: _said(name, check) for name, check in checks.items()}
    is_ready = all(each == "ok" for each in said.values())
    return 200 if is_ready else 503, "application/json", (json.dumps(said) + "\n").encode()


def _said(name: str, check: Check) -> str:
    try:
        check()
    except NightreadError as error:
        # Whoever reaches the port learns no path and no address.
        log.warning("not_ready", check=name, error=str(error))
        return "fails: the process's log says why"
    return "ok"
