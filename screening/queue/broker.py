"""The Redis that carries the messages, seen from outside."""

from __future__ import annotations

import socket
from urllib.parse import unquote, urlsplit

_PORT = 6379
_SECONDS = 2.0


def is_there(broker_url: str) -> bool:
    """Say whether anybody takes connections where Redis should be.

    To be asked before each attempt to speak to it: one of kombu's that fails leaves a descriptor
    open until the garbage collector comes by.

    Parameters
    ----------
    broker_url
        ``redis://``, ``rediss://`` or ``redis+socket://``.
    """
    url = urlsplit(broker_url)
    try:
        if url.scheme == "redis+socket":
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(_SECONDS)
                line.connect(unquote(url.path))
        else:
            address = (url.hostname or "localhost", url.port or _PORT)
            socket.create_connection(address, _SECONDS).close()
    except OSError:
        return False
    return True
