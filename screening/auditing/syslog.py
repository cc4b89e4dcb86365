"""Syslog over TLS: RFC 5424 messages in RFC 5425's frames, as PS3.15 A.6 wants them."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterable

from screening.errors import RelayError, SettingsError
from screening.settings import Settings

DEFAULT_PORT = 6514  # RFC 5425, 4.1
_SECONDS = 20.0
# A server that has taken us says so with a session ticket, one that has not with an alert (TLS 1.3:
# the client is through with the handshake before the server has looked at its certificate).
_VERDICT_SECONDS = 1.0
_POLL_SECONDS = 0.01
_PIECE = 16_384  # of a TLS record

# PS3.15 A.6: facility 10, severity 5 (notice), or 4 (warning) for what failed.
_FACILITY, _NOTICE, _WARNING = 10, 5, 4
_MESSAGE_KIND = "DICOM+RFC3881"
_BOM = "\ufeff"


def syslog_message(content: str, at: dt.datetime, host: str, *, failed: bool) -> bytes:
    """Return a message with its header, RFC 5424, 6.

    Everything in it comes from what is sent: sent again it is the same, byte for byte.

    Parameters
    ----------
    content
        XML of an AuditMessage.
    at
        When it happened.
    host
        Of whoever reports.
    failed
        Whether it tells of a failure.
    """
    priority = _FACILITY * 8 + (_WARNING if failed else _NOTICE)
    moment = at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = "".join(each if "!" <= each <= "~" else "-" for each in host)[:255] or "-"
    header = f"<{priority}>1 {moment} {name} nightread - {_MESSAGE_KIND} - "
    return (header + _BOM + content).encode("utf-8", "replace")


def framed(message: bytes) -> bytes:
    """Return a message with its length before it, RFC 5425, 4.3."""
    return b"%d " % len(message) + message


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return how the repository is spoken to: TLS 1.2 or newer, its certificate and name checked.

    Raises
    ------
    SettingsError
        If a certificate cannot be read.
    """
    name = "AUTHORITIES"
    try:
        context = ssl.create_default_context(cafile=settings.audit_syslog_authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.audit_syslog_certificate is not None:
            name = "CERTIFICATE"
            context.load_cert_chain(settings.audit_syslog_certificate, settings.audit_syslog_key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or type(error).__name__
        raise SettingsError(
            f"NIGHTREAD_AUDIT_SYSLOG_{name} cannot be used ({why}): PEM is needed that we may read"
        ) from None
    return context


class Repository:
    """The hospital's audit repository, connected to when there is something to send.

    Parameters
    ----------
    settings
        Name the repository, and what is needed for TLS.

    Raises
    ------
    SettingsError
        If no repository is set, or a certificate cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.audit_syslog:
            raise SettingsError(
                "NIGHTREAD_AUDIT_SYSLOG names no audit repository: there is nobody to send to"
            )
        host, _, port = settings.audit_syslog.rpartition(":")
        if not host or not port.isdigit():  # no port; or none after an IPv6 address
            host, port = settings.audit_syslog, str(DEFAULT_PORT)
        self._host, self._port = host.strip("[]"), int(port)
        self._context = tls_context(settings)
        self._line: ssl.SSLSocket | None = None

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return f"{self._host}:{self._port}"

    def connect(self) -> None:
        """Connect, unless there is a connection that lives: a repository may have been restarted.

        Raises
        ------
        RelayError
            If it does not answer, or is not the one that it should be.
        """
        if self._line is not None and _lives(self._line):
            return
        self.close()
        try:
            self._line = self._open()
        except OSError as error:
            raise RelayError(self._why(error)) from None

    def send(self, messages: Iterable[bytes]) -> None:
        """Send messages, and return when its machine has acknowledged their bytes.

        Syslog has no acknowledgement of its own: what its machine took and its program did not
        read, as when it is killed then, is lost, and nobody learns of it.

        Raises
        ------
        RelayError
            If they may not all have arrived: send them again.
        """
        self.connect()
        assert self._line is not None
        try:
            _write(self._line, b"".join(map(framed, messages)))
            _require_alive(self._line)
        except OSError as error:
            self.close()
            raise RelayError(self._why(error)) from None

    def close(self) -> None:
        """End the connection, RFC 5425, 4.4: with a close_notify, as far as the peer lets us."""
        line, self._line = self._line, None
        if line is None:
            return
        with contextlib.suppress(OSError, ValueError):
            line.settimeout(_VERDICT_SECONDS)
            line.unwrap().close()
        line.close()

    def _open(self) -> ssl.SSLSocket:
        plain = socket.create_connection((self._host, self._port), _SECONDS)
        try:
            line = self._context.wrap_socket(plain, server_hostname=self._host)
        except BaseException:
            plain.close()
            raise
        try:
            if line.version() == "TLSv1.3":
                select.select([line], [], [], _VERDICT_SECONDS)
            _require_alive(line)
        except BaseException:
            line.close()
            raise
        return line

    def _why(self, error: OSError) -> str:
        who = f"the audit repository {self.name}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"{who} shows a certificate that is not trusted ({error.verify_message}): "
                "NIGHTREAD_AUDIT_SYSLOG_AUTHORITIES must hold who signed it, and "
                "NIGHTREAD_AUDIT_SYSLOG name it as its certificate does"
            )
        if isinstance(error, ssl.SSLError):
            why = (error.reason or type(error).__name__).lower().replace("_", " ")
            return (
                f"{who} ended TLS ({why}): does it ask for a certificate "
                "(NIGHTREAD_AUDIT_SYSLOG_CERTIFICATE), and does it speak TLS 1.2 or newer?"
            )
        return f"{who} does not answer ({error.strerror or type(error).__name__}): does it run?"


def require_repository(settings: Settings) -> None:
    """Connect to the repository, and send nothing.

    Raises
    ------
    RelayError
        If it does not answer, or is not the one that it should be.
    """
    repository = Repository(settings)
    try:
        repository.connect()
    finally:
        repository.close()


def _lives(line: ssl.SSLSocket) -> bool:
    try:
        _require_alive(line)
    except OSError:
        return False
    return True


def _require_alive(line: ssl.SSLSocket) -> None:
    """Raise if the other side has ended the connection or refused us: it never says anything."""
    line.settimeout(0.0)
    try:
        said = line.recv(1)
    except (ssl.SSLWantReadError, BlockingIOError):
        return
    if not said:
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def _write(line: ssl.SSLSocket, content: bytes) -> None:
    """Write, and wait until nothing of it is in our queue any more: TIOCOUTQ of tcp(7)."""
    deadline = time.monotonic() + _SECONDS
    left = memoryview(content)
    while left:
        line.settimeout(max(_POLL_SECONDS, deadline - time.monotonic()))
        left = left[line.send(left[:_PIECE]) :]
    while _unacknowledged(line):
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        time.sleep(_POLL_SECONDS)


def _unacknowledged(line: ssl.SSLSocket) -> int:
    answer = fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])
