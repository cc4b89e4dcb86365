"""The addresses that are listened on."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from screening.errors import DependencyError
from screening.settings import Settings

_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Port:
    """A port that is open, and whether its connections begin with TLS."""

    socket: socket.socket
    secure: bool


def open_ports(settings: Settings) -> list[Port]:
    """Open the ports of our listener; who calls now waits until connections are accepted.

    Raises
    ------
    DependencyError
        If one cannot be had; the message names the settings.
    """
    ports: list[Port] = []
    try:
        for number, secure in ((settings.dicom_port, False), (settings.tls_port, True)):
            if number:
                ports.append(Port(_bind(settings.dicom_host, number, listen=True), secure))
    except DependencyError:
        for port in ports:
            port.socket.close()
        raise
    return ports


_SETTINGS = "NIGHTREAD_DICOM_PORT, NIGHTREAD_TLS_PORT or NIGHTREAD_DICOM_HOST"


def require_free(host: str, port: int, settings: str = _SETTINGS) -> None:
    """Refuse an address that cannot be had.

    Parameters
    ----------
    host, port
        The address.
    settings
        By which another can be chosen.

    Raises
    ------
    DependencyError
        If somebody listens there, or it is not ours; the message names the settings.
    """
    _bind(host, port, listen=False, settings=settings).close()


def _bind(host: str, port: int, *, listen: bool, settings: str = _SETTINGS) -> socket.socket:
    bound = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        bound = socket.socket(family, kind, protocol)
        # A port that was closed a moment ago is free.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        if listen:
            bound.listen(_BACKLOG)  # which may fail where another bound it at the same moment
    except OSError as error:
        if bound is not None:
            bound.close()
        raise DependencyError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with "
            f"{settings}, or stop who listens there"
        ) from None
    return bound
