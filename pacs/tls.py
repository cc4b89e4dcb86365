"""TLS towards those whom we call."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict

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


class TlsChoice(BaseModel):
    """Whether somebody whom we call speaks TLS.

    Attributes
    ----------
    tls, tls_authorities, tls_certificate, tls_key
        Whether it does; the certificates that vouch for it, those of the system by default; and our
        own certificate, where it asks for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tls: bool = False
    tls_authorities: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def tls_context(self, name: str) -> ssl.SSLContext | None:
        """Return how to talk TLS to who is so called; ``None`` for plain TCP.

        Raises
        ------
        SendError
            If a certificate cannot be read.
        """
        if not self.tls:
            return None
        return client_context(name, self.tls_authorities, self.tls_certificate, self.tls_key)
