"""TLS towards those whom we call."""

from __future__ import annotations

import ssl
from pathlib import Path

from screening.errors import SendError


def client_context(
    name: str,
    authorities: Path | None,
    certificate: Path | None = None,
    key: Path | None = None,
) -> ssl.SSLContext:
    """Return with whom we speak TLS, 1.2 at least.

    Parameters
    ----------
    name
        Of the destination, for the error.
    authorities
        Certificates that vouch for it; ``None`` for those of the system.
    certificate, key
        Our own, where it asks for one.

    Raises
    ------
    SendError
        If one of the files cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SendError(f"a certificate of destination {name}: {error}") from None
    return context
