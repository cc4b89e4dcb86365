"""Another DICOM application, and an association with it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

from pacs.answers import leave_answers
from pacs.watch import Watch
from screening.errors import AssociationError, SendError

MAXIMUM_CONTEXTS = 128
"""Presentation contexts of one association: their ids are the odd numbers to 255, PS3.8 9.3.2.2."""

_CONNECT_SECONDS = 10
_ACSE_SECONDS = 30
_DIMSE_SECONDS = 120
# pynetdicom ends what it can by itself before.
_SILENCE_SECONDS = _DIMSE_SECONDS + 5


class Trouble(StrEnum):
    """Why there is no association."""

    NO_HOST = "no_host"
    NOBODY = "nobody"
    NO_DICOM = "no_dicom"
    NOTHING_TAKEN = "nothing_taken"
    NO_REASON = "no_reason"
    CALLED_UNKNOWN = "called_unknown"
    CALLING_UNKNOWN = "calling_unknown"
    BUSY = "busy"
    OTHER = "other"


# A-ASSOCIATE-RJ, PS3.8 Table 9-21: (source, reason).
_Reason = tuple[int | None, int | None]
_REJECTIONS: dict[_Reason, Trouble] = {
    (1, 1): Trouble.NO_REASON,
    (1, 3): Trouble.CALLING_UNKNOWN,
    (1, 7): Trouble.CALLED_UNKNOWN,
    (3, 1): Trouble.BUSY,
    (3, 2): Trouble.BUSY,
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we call and as whom.

    Attributes
    ----------
    host, port
        Where it listens.
    called_ae_title, calling_ae_title
        Its AE title and ours.
    tls
        How to talk TLS to it; ``None`` for plain TCP.

    Raises
    ------
    SendError
        If the port or a title can be nobody's.
    """

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise SendError(f"{self.port} is no port: give one of 1 to 65535")
        for title in (self.called_ae_title, self.calling_ae_title):
            # PS3.5 6.2, the value representation AE.
            printable = all(" " <= character <= "~" for character in title)
            if not 1 <= len(title.strip(" ")) <= 16 or not printable or "\\" in title:
                raise SendError(
                    f"{title!r} is no AE title: give 1 to 16 characters of ASCII, no backslash"
                )

    def __str__(self) -> str:
        return f"{self.called_ae_title} at {self.host} port {self.port}"


@contextmanager
def association(
    peer: Peer,
    contexts: Iterable[tuple[str, str]],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    handlers: Sequence[EventHandlerType] = (),
    cut: threading.Event | None = None,
) -> Iterator[Association]:
    """Open an association, and release it at the end or abort it on an error.

    Parameters
    ----------
    peer
        Whom to call.
    contexts
        Up to `MAXIMUM_CONTEXTS` pairs of SOP Class UID and transfer syntax UID. Each is proposed
        as a presentation context of its own: of several transfer syntaxes in one context the peer
        would choose one.
    roles
        Of SOP Classes of which we are not the SCU alone, PS3.7 D.3.3.4.
    handlers
        Of what the peer requests on it, as pynetdicom takes them.
    cut
        Ends it at once when set.

    Raises
    ------
    AssociationError
        If nobody answers or the association is rejected; the message says what to change.
    """
    lines: list[socket.socket] = []
    watch = Watch(_SILENCE_SECONDS, cut)
    try:
        assoc = _request(peer, contexts, roles, [*handlers, *watch.handlers], lines, watch)
        try:
            yield assoc
        except BaseException:
            watch.cut()  # else an abort waits for a peer that does not read
            assoc.abort()
            raise
        if assoc.is_established:
            assoc.release()
    finally:
        watch.end()
        # pynetdicom leaves a connection open on our side where the peer has cut it.
        for line in lines:
            line.close()


def _request(
    peer: Peer,
    contexts: Iterable[tuple[str, str]],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation],
    handlers: Sequence[EventHandlerType],
    lines: list[socket.socket],
    watch: Watch,
) -> Association:
    """Request an association; its connection, if it comes to one, is put into ``lines``."""

    def opened(event: Event) -> None:
        transport = event.assoc.dul.socket
        assert transport is not None
        assert transport.socket is not None, "the event follows the connection"
        line = transport.socket
        # Without it the last small packet of a message waits for an acknowledgement, about 40 ms.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines.append(line)
        watch.over(line)

    ae = AE(peer.calling_ae_title)
    ae.connection_timeout = _CONNECT_SECONDS
    ae.acse_timeout = _ACSE_SECONDS
    ae.dimse_timeout = _DIMSE_SECONDS
    ae.network_timeout = _DIMSE_SECONDS
    try:
        assoc = ae.associate(
            peer.host,
            peer.port,
            contexts=[build_context(sop_class, [syntax]) for sop_class, syntax in contexts],
            ae_title=peer.called_ae_title,
            ext_neg=list(roles),
            evt_handlers=[(evt.EVT_CONN_OPEN, opened), *handlers],
            tls_args=None if peer.tls is None else (peer.tls, peer.host),
        )
    except OSError as error:
        raise AssociationError(
            f"{peer.host}: {error.strerror}; check the host's name", Trouble.NO_HOST
        ) from None
    if not assoc.is_established:
        trouble, reason = _trouble(assoc, connected=bool(lines))
        raise AssociationError(_explain(peer, trouble, reason), trouble)
    leave_answers(assoc)
    return assoc


def _trouble(assoc: Association, *, connected: bool) -> tuple[Trouble, _Reason]:
    """Return why there is no association and, of a rejection, its source and reason."""
    if not connected:
        return Trouble.NOBODY, (None, None)
    if not assoc.is_rejected:
        # pynetdicom gives up an association that was accepted without a single context.
        trouble = Trouble.NOTHING_TAKEN if assoc.rejected_contexts else Trouble.NO_DICOM
        return trouble, (None, None)
    answer = assoc.acceptor.primitive
    reason = (answer.result_source, answer.diagnostic) if answer else (None, None)
    return _REJECTIONS.get(reason, Trouble.OTHER), reason


def _explain(peer: Peer, trouble: Trouble, reason: _Reason) -> str:
    words = {
        Trouble.NOBODY: (
            f"nobody answers on {peer.host} port {peer.port}: is it running there, and are host "
            "and port right?"
        ),
        Trouble.NO_DICOM: (
            f"{peer.host} port {peer.port} took the connection but no association: is it a DICOM "
            "port, and does it talk TLS?"
        ),
        Trouble.NOTHING_TAKEN: f"{peer} takes no object of a kind that was offered to it",
        Trouble.CALLED_UNKNOWN: (
            f"{peer.host} port {peer.port} is not called {peer.called_ae_title}: name the AE title "
            "that it has (--aet, ae_title; of a Nightread, its NIGHTREAD_AE_TITLE)"
        ),
        Trouble.CALLING_UNKNOWN: (
            f"{peer} does not admit the AE title {peer.calling_ae_title}: enter it there (a "
            "Nightread: NIGHTREAD_CALLING_AE_TITLES), or call as one that it admits"
        ),
        Trouble.BUSY: (
            f"{peer} has too many associations open: try again later, or raise its limit (a "
            "Nightread: NIGHTREAD_MAXIMUM_ASSOCIATIONS)"
        ),
    }
    other = f"{peer} rejected the association (source and reason {reason}, PS3.8 Table 9-21)"
    return words.get(trouble, other)
