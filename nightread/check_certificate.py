"""The doctor looks at how long our certificate for TLS is in force."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from nightread.finding import Finding, fail, ok, warn
from screening.settings import Settings

_SOON_DAYS = 30


def check_certificate(settings: Settings) -> Finding:
    """Look whether senders that check dates will take our certificate, and for how long.

    Parameters
    ----------
    settings
        With a certificate and a key that can be used.
    """
    certificate, key = Path(str(settings.tls_certificate)), Path(str(settings.tls_key))
    try:
        until = _in_force_until(certificate, key)
    except ssl.SSLCertVerificationError as error:
        return fail(
            "certificate",
            f"{certificate}: {error.verify_message}; senders will refuse it, renew it",
        )
    days = (until - time.time()) / 86400
    date = time.strftime("%Y-%m-%d", time.gmtime(until))
    if days < _SOON_DAYS:
        return warn("certificate", f"{certificate} ends on {date}: renew it before")
    return ok("certificate", f"{certificate} is in force until {date}")


def own_client(settings: Settings) -> ssl.SSLContext:
    """Return how our own ports are called, where TLS is spoken.

    Whose certificate it is does not matter there. Where senders must show one, ours is at hand.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(str(settings.tls_certificate), str(settings.tls_key))
    return context


def _in_force_until(certificate: Path, key: Path) -> float:
    """Shake hands with ourselves in memory: Python shows the dates of a peer's alone."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate, key)
    client.load_verify_locations(certificate)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever signed it is not the question
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    while True:
        try:
            ours.do_handshake()
            break
        except ssl.SSLWantReadError:
            try:
                theirs.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = ours.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))
