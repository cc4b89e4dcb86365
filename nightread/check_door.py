"""The doctor looks at the ports of our listener."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from dicom_listener.address import require_free
from dicom_listener.tls import tls_context
from nightread.finding import Finding, fail, ok
from nightread.own_address import own_address
from screening.errors import DependencyError, SendError
from screening.settings import Settings

_SECONDS = 5


def check_door(settings: Settings) -> Iterator[Finding]:
    """Look whether our listener answers on its ports, or could listen there."""
    if settings.dicom_port:
        yield _check_port(settings)
    if settings.tls_port:
        yield _check_tls_port(settings)


def _check_port(settings: Settings) -> Finding:
    where = f"{settings.dicom_host} port {settings.dicom_port}"
    try:
        require_free(settings.dicom_host, settings.dicom_port)
    except DependencyError:
        return _call(settings, where)
    return ok("DICOM port", f"{where} is free: nightread up listens there")


def _call(settings: Settings, where: str) -> Finding:
    from pacs.echo import echo
    from pacs.peer import Peer

    calling = next(iter(settings.calling_ae_titles), "NIGHTREAD_DOCTOR")
    host = own_address(settings.dicom_host)
    try:
        echo(Peer(host, settings.dicom_port, settings.ae_title, calling))
    except SendError as error:
        return fail(
            "DICOM port",
            f"somebody else has {where}, or a listener with other settings ({error}); choose "
            "another NIGHTREAD_DICOM_PORT, or stop it",
        )
    return ok("DICOM port", f"{settings.ae_title} answers on {where}")


def _check_tls_port(settings: Settings) -> Finding:
    where = f"{settings.dicom_host} port {settings.tls_port}"
    try:
        tls_context(settings)
    except DependencyError as error:
        return fail("TLS port", str(error))
    try:
        require_free(settings.dicom_host, settings.tls_port)
    except DependencyError:
        return _shake_hands(settings, where)
    return ok("TLS port", f"{where} is free: nightread up listens there")


def _shake_hands(settings: Settings, where: str) -> Finding:
    # Whose certificate it is does not matter here, only that TLS is spoken: it is our own port.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    address = (own_address(settings.dicom_host), settings.tls_port)
    try:
        with (
            socket.create_connection(address, _SECONDS) as line,
            context.wrap_socket(line) as secured,
        ):
            version = secured.version()
    except OSError as error:
        return fail(
            "TLS port",
            f"somebody else has {where} ({error.strerror or type(error).__name__}); choose another "
            "NIGHTREAD_TLS_PORT, or stop it",
        )
    return ok("TLS port", f"{version} is spoken on {where}")
