"""Where our listener listens, seen from this machine."""

from __future__ import annotations

import socket

from screening.errors import DependencyError
from screening.settings import Settings


def own_address(dicom_host: str) -> str:
    """Return where to call a listener that listens on ``dicom_host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(dicom_host, dicom_host)  # noqa: S104


def require_free_port(settings: Settings) -> None:
    """Refuse to start where somebody else listens already.

    Raises
    ------
    DependencyError
        If the port cannot be had; the message names the setting.
    """
    host, port = settings.dicom_host, settings.dicom_port
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
