"""What runs, as a support bundle tells it: the queue, the doctor, figures and logs."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightread.own_address import own_address

if TYPE_CHECKING:
    from nightread.own_words import OwnWords
    from screening.settings import Settings

_SECONDS = 5
_WATCH_PORT = "_watch_port"
_LINES = 2000
_SAMPLE = re.compile(r"(# (?:HELP|TYPE) )?(?:nightread|process|python)_")
_LABEL = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Of a log's line: the moment, and what is a word of structlog's or ours.
_MOMENT = re.compile(r"[0-9TZ:.+-]{10,40}")


def told_queue(settings: Settings) -> dict[str, object]:
    """Return how long the queues are, and how Redis is."""
    import redis

    from screening.queue.app import OVERNIGHT_QUEUE, QUEUE

    url = settings.broker_url.replace("redis+socket://", "unix://", 1)
    options: dict[str, Any] = {"socket_connect_timeout": _SECONDS, "socket_timeout": _SECONDS}
    with redis.Redis.from_url(url, **options) as client:
        said: dict[str, Any] = client.info()
        return {
            # Kombu keeps a list for each queue and priority, and what was taken in a hash.
            "queues": {
                queue: sum(
                    int(client.llen(name))
                    for name in (queue, *(f"{queue}\x06\x16{each}" for each in (3, 6, 9)))
                )
                for queue in (QUEUE, OVERNIGHT_QUEUE)
            },
            "taken": client.hlen("unacked"),
            "redis": {
                name: said.get(name)
                for name in ("redis_version", "uptime_in_seconds", "used_memory", "evicted_keys")
            },
            "aof_enabled": said.get("aof_enabled"),
        }


def told_doctor(settings: Settings, own_words: OwnWords) -> list[dict[str, str]]:
    """Return what the doctor finds."""
    from nightread.checkup import examine

    return [
        {
            "level": finding.level.value,
            "subject": own_words.only(finding.subject),
            "detail": own_words.only(finding.detail),
        }
        for finding in examine(settings)
    ]


def told_metrics(settings: Settings, own_words: OwnWords) -> dict[str, object]:
    """Return the figures of each process of this machine that has a port for a monitor."""
    found: dict[str, object] = {}
    for name, port in settings:
        if name.endswith(_WATCH_PORT) and port:
            address = own_address(settings.watch_host)
            found[name.removesuffix(_WATCH_PORT)] = _ask(address, port, own_words)
    return found or {"none": "no process has a port for a monitor (docs/watching.md)"}


def _ask(host: str, port: int, own_words: OwnWords) -> list[str] | str:
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode(errors="replace").splitlines()
    except (OSError, http.client.HTTPException) as error:
        return f"not answered: {type(error).__name__}"
    finally:
        connection.close()
    return [
        _LABEL.sub(lambda label: f'"{own_words.only(label[1])}"', line)
        for line in lines
        if _SAMPLE.match(line)
    ]


def told_logs(files: list[Path], own_words: OwnWords) -> dict[str, object]:
    """Return the last lines of logs, each word of which is one of ours."""
    if not files:
        return {"none": "name the processes' logs with --log"}
    return {f"log {number}": _told_log(path, own_words) for number, path in enumerate(files, 1)}


def _told_log(path: Path, own_words: OwnWords) -> dict[str, object]:
    left_out = 0
    kept: deque[dict[str, object]] = deque(maxlen=_LINES)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            event = _event(line)
            if event is None:
                left_out += 1
                continue
            kept.append(dict(_told_event(event, own_words)))
    return {"lines": list(kept), "left_out_as_not_ours": left_out}


def _event(line: str) -> dict[str, object] | None:
    """Return a line that structlog wrote; journalctl's beginning is cut off."""
    _, brace, rest = line.partition("{")
    try:
        found = json.loads(brace + rest)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found and "level" in found else None


def _told_event(event: dict[str, object], own_words: OwnWords) -> Iterator[tuple[str, object]]:
    for key, value in event.items():
        name = own_words.only(key)
        if key == "timestamp" and isinstance(value, str):
            yield name, value if _MOMENT.fullmatch(value) else "*"
        elif isinstance(value, int | float) or value is None:
            yield name, value
        elif isinstance(value, list):
            yield name, [own_words.only(str(each)) for each in value]
        else:
            yield name, own_words.only(str(value))
