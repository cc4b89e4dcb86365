"""The doctor looks at the port of the hospital's feed of patients, and at whose numbers it has."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

from dicom_listener.address import require_free
from dicom_listener.tls import tls_context
from nightread.check_certificate import check_certificate, own_client
from nightread.finding import Finding, fail, ok, warn
from nightread.own_address import own_address
from screening.errors import DependencyError, RecordsError
from screening.settings import Settings

_SECONDS = 5
_SUBJECT = "feed of patients"
# MSH-11 is T, for training: it is refused, and changes nothing.
_QUESTION = b"\x0bMSH|^~\\&|NIGHTREAD_DOCTOR||NIGHTREAD||20260101||ADT^A08|doctor|T|2.5.1\r\x1c\r"


def check_feed(settings: Settings) -> Iterator[Finding]:
    """Look whether the feed answers on its port, or could listen there."""
    if not settings.adt_port:
        return
    if settings.adt_tls:
        try:
            tls_context(settings)
        except DependencyError as error:
            yield fail(_SUBJECT, str(error))
            return
        if not settings.tls_port:  # else the door's check has said it
            yield check_certificate(settings)
    where = f"{settings.adt_host} port {settings.adt_port}"
    try:
        require_free(settings.adt_host, settings.adt_port, "NIGHTREAD_ADT_PORT")
    except DependencyError as error:
        yield _call(settings, where, str(error))
    else:
        yield ok(_SUBJECT, f"{where} is free: nightread up listens there")
    yield from _check_authority(settings)


def _call(settings: Settings, where: str, taken: str) -> Finding:
    try:
        with socket.create_connection(
            (own_address(settings.adt_host), settings.adt_port), _SECONDS
        ) as line:
            is_admitted = _is_admitted(settings, line.getsockname()[0])
            answered = _ask(settings, line)
    except OSError as error:
        return fail(_SUBJECT, f"{taken} ({error.strerror or type(error).__name__})")
    if b"|NIGHTREAD|" in answered:
        return ok(_SUBJECT, f"the feed answers on {where}")
    if not answered and not is_admitted:
        return ok(_SUBJECT, f"somebody listens on {where} and does not admit this machine")
    return fail(_SUBJECT, taken)


def _ask(settings: Settings, line: socket.socket) -> bytes:
    """Return what is answered to a message that changes nothing, empty where it is cut off."""
    if settings.adt_tls:
        line = own_client(settings).wrap_socket(line)
    try:
        with line:
            line.sendall(_QUESTION)
            return line.recv(4096)
    except TimeoutError:
        raise
    except OSError:
        return b""


def _is_admitted(settings: Settings, address: str) -> bool:
    """Say whether the feed would answer us: our certificate is not one of its senders'."""
    if settings.adt_tls and settings.tls_authorities:
        return False
    networks = settings.adt_networks
    return not networks or any(ip_address(address) in network for network in networks)


def _check_authority(settings: Settings) -> Iterator[Finding]:
    from nightread.database import opened
    from screening.records.surviving import other_issuer

    if not settings.database_url and not (settings.data_dir / "nightread.sqlite").is_file():
        return
    try:
        with opened(settings) as records, records.read() as session:
            other = other_issuer(session, settings.adt_authority)
    except RecordsError:
        return  # said already
    if other is not None:
        yield warn(
            _SUBJECT,
            f"no image names NIGHTREAD_ADT_AUTHORITY={settings.adt_authority} as issuer of its "
            f"PatientID, and all name one, as {other}: merges will find no patient",
        )
