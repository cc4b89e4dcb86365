"""``nightread broker``: holds the private Redis; ``nightread up`` starts it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from nightread.tether import Parent
from screening.tether import tie_to

if TYPE_CHECKING:
    from screening.settings import Settings

_POLL_SECONDS = 0.2


def broker(parent: Parent = 0) -> None:
    """Run the private Redis until stopped."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    tie_to(parent)
    from screening.errors import DependencyError
    from screening.queue.embedded import EmbeddedRedis
    from screening.settings_source import load_settings

    settings = load_settings()
    _end_orphan(settings)
    server = EmbeddedRedis(settings)
    server.start()
    try:
        while not stopping:
            if not server.is_running():
                raise DependencyError(
                    f"the private Redis ended: its log is {settings.data_dir / 'redis/redis.log'}"
                )
            time.sleep(_POLL_SECONDS)
    finally:
        server.stop()


def _end_orphan(settings: Settings) -> None:
    """Stop a server that a killed run left behind: two must not write one log."""
    import redis

    socket = settings.embedded_redis_socket
    if not socket.exists():
        return
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=10) as client:
        try:
            client.shutdown()
        except redis.exceptions.RedisError:
            return  # nobody is behind the socket
