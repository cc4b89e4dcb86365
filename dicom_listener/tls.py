"""TLS as PS3.15 B.12 asks for it: version 1.2 or newer, a certificate of ours, theirs on demand."""

from __future__ import annotations

import ssl

from screening.errors import DependencyError
from screening.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return how connections on the port for TLS are secured.

    Raises
    ------
    DependencyError
        If a certificate or key cannot be read; the message names its setting.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The profile is that of BCP 195; Python's own ciphers are a part of what it recommends.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = settings.tls_certificate, settings.tls_key
    try:
        context.load_cert_chain(str(certificate), str(key))
    except (OSError, ssl.SSLError) as error:
        raise DependencyError(
            f"NIGHTREAD_TLS_CERTIFICATE={certificate} and NIGHTREAD_TLS_KEY={key} cannot be used "
            f"({_reason(error)}): give a certificate chain and its key, both as unencrypted PEM"
        ) from None
    if settings.tls_authorities is not None:
        try:
            context.load_verify_locations(str(settings.tls_authorities))
        except (OSError, ssl.SSLError) as error:
            raise DependencyError(
                f"NIGHTREAD_TLS_AUTHORITIES={settings.tls_authorities} cannot be used "
                f"({_reason(error)}): give the certificates of those who sign the senders', as PEM"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST")
_TOO_OLD = ("UNSUPPORTED_PROTOCOL", "NO_SHARED_CIPHER", "VERSION_TOO_LOW")


def explain_handshake(error: OSError) -> str:
    """Say why a handshake with a sender failed, and whose affair that is.

    Parameters
    ----------
    error
        Of the handshake.
    """
    reason = _reason(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"TLS failed: the sender's certificate is not to be trusted ({error.verify_message}); "
            "it must be signed by one of NIGHTREAD_TLS_AUTHORITIES, and in force"
        )
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return (
            "TLS failed: the sender showed no certificate, which NIGHTREAD_TLS_AUTHORITIES asks "
            "for: give it one, or unset it"
        )
    if reason in _NO_TLS:
        return "TLS failed: the sender spoke no TLS; this port is for TLS alone"
    if reason in _TOO_OLD:
        return f"TLS failed ({reason}): the sender must speak TLS 1.2 or newer"
    if "_ALERT_" in reason:
        return (
            f"TLS failed: the sender refused our certificate ({reason}); renew "
            "NIGHTREAD_TLS_CERTIFICATE if it has expired, or give the sender its authority"
        )
    return f"TLS failed ({reason})"


def _reason(error: OSError) -> str:
    # An error of OpenSSL has its own words, and a number for an errno.
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or type(error).__name__)
