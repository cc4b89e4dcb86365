"""The doctor looks at the ports of our listener."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from dicom_listener.address import require_free
from dicom_listener.tls import tls_context
from nightread.check_certificate import check_certificate, own_client
from nightread.finding import Finding, fail, ok
from nightread.own_address import own_address
from screening.errors import AssociationError, DependencyError, SendError
from screening.settings import Settings

_SECONDS = 5
_TITLE = "NIGHTREAD_DOCTOR"


def check_door(settings: Settings) -> Iterator[Finding]:
    """Look whether our listener answers on its ports, or could listen there."""
    if settings.dicom_port:
        yield _look_at(settings, "DICOM port", settings.dicom_port, _call)
    if settings.tls_port:
        yield from _check_tls(settings)


def _look_at(
    settings: Settings, subject: str, port: int, call: Callable[[Settings, str, str], Finding]
) -> Finding:
    """Call a port where somebody has it already."""
    where = f"{settings.dicom_host} port {port}"
    try:
        require_free(settings.dicom_host, port)
    except DependencyError as error:
        return call(settings, where, str(error))
    return ok(subject, f"{where} is free: nightread up listens there")


def _call(settings: Settings, where: str, taken: str) -> Finding:
    from pacs.echo import echo
    from pacs.peer import Peer, Trouble

    host = own_address(settings.dicom_host)
    try:
        # Under no sender's title: it would stand in the records as that sender's call.
        echo(Peer(host, settings.dicom_port, settings.ae_title, _TITLE))
    except AssociationError as error:
        if error.trouble in (Trouble.CALLING_UNKNOWN, Trouble.NO_REASON, Trouble.BUSY):
            detail = f"a listener answers on {where}; its rules do not admit {_TITLE}"
            return ok("DICOM port", detail)
        return fail("DICOM port", f"{taken} ({error})")
    except SendError as error:
        return fail("DICOM port", f"{taken} ({error})")
    return ok("DICOM port", f"{settings.ae_title} answers on {where}")


def _check_tls(settings: Settings) -> Iterator[Finding]:
    try:
        tls_context(settings)
    except DependencyError as error:
        yield fail("certificate", str(error))
        return
    yield check_certificate(settings)
    yield _look_at(settings, "TLS port", settings.tls_port, _shake_hands)


def _shake_hands(settings: Settings, where: str, taken: str) -> Finding:
    address = (own_address(settings.dicom_host), settings.tls_port)
    try:
        with (
            socket.create_connection(address, _SECONDS) as line,
            own_client(settings).wrap_socket(line) as secured,
        ):
            version = secured.version()
    except OSError as error:
        return fail("TLS port", f"{taken} ({error.strerror or type(error).__name__})")
    return ok("TLS port", f"{version} is spoken on {where}")
