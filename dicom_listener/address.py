"""Whether an address can be listened on, asked before anything is started."""

from __future__ import annotations

import socket

from screening.errors import DependencyError


def require_free(host: str, port: int) -> None:
    """Refuse an address that cannot be had.

    Raises
    ------
    DependencyError
        If somebody listens there, or it is not ours; the message names the settings.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the listener does: a port that was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise DependencyError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with "
            "NIGHTREAD_DICOM_PORT or NIGHTREAD_DICOM_HOST, or stop who listens there"
        ) from None
