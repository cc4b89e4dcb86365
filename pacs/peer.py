"""Another DICOM application, and an association with it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

from screening.errors import SendError

MAXIMUM_CONTEXTS = 128
"""Presentation contexts of one association: their ids are the odd numbers to 255, PS3.8 9.3.2.2."""

_CONNECT_SECONDS = 10
_ACSE_SECONDS = 30
_DIMSE_SECONDS = 120

# A-ASSOCIATE-RJ, PS3.8 Table 9-21: (source, reason).
_CALLED_UNKNOWN = (1, 7)
_CALLING_UNKNOWN = (1, 3)
_BUSY = {(3, 1), (3, 2)}


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we call and as whom.

    Attributes
    ----------
    host, port
        Where it listens.
    called_ae_title, calling_ae_title
        Its AE title and ours.
    """

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str

    def __str__(self) -> str:
        return f"{self.called_ae_title} at {self.host} port {self.port}"


@contextmanager
def association(
    peer: Peer,
    contexts: Iterable[tuple[str, str]],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
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

    Raises
    ------
    SendError
        If nobody answers or the association is rejected; the message says what to change.
    """
    lines: list[socket.socket] = []
    try:
        assoc = _request(peer, contexts, roles, lines)
        try:
            yield assoc
        except BaseException:
            assoc.abort()
            raise
        if assoc.is_established:
            assoc.release()
    finally:
        # pynetdicom leaves a connection open on our side where the peer has cut it.
        for line in lines:
            line.close()


def _request(
    peer: Peer,
    contexts: Iterable[tuple[str, str]],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation],
    lines: list[socket.socket],
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
            evt_handlers=[(evt.EVT_CONN_OPEN, opened)],
        )
    except OSError as error:
        raise SendError(f"{peer.host}: {error.strerror}; check the host's name") from None
    if not assoc.is_established:
        raise SendError(_explain(peer, assoc, connected=bool(lines)))
    return assoc


def _explain(peer: Peer, assoc: Association, *, connected: bool) -> str:
    if not connected:
        return (
            f"nobody answers on {peer.host} port {peer.port}: start nightread up (or nightread "
            "listen) there, or name another --host and --port"
        )
    if assoc.is_rejected:
        return _explain_rejection(peer, assoc)
    return (
        f"{peer.host} port {peer.port} took the connection but no association: is it a DICOM port, "
        "and does it talk TLS?"
    )


def _explain_rejection(peer: Peer, assoc: Association) -> str:
    answer = assoc.acceptor.primitive
    source = (answer.result_source, answer.diagnostic) if answer else (None, None)
    if source == _CALLED_UNKNOWN:
        return (
            f"{peer.host} port {peer.port} is not called {peer.called_ae_title}: name its AE title "
            f"with --aet, or start the listener with NIGHTREAD_AE_TITLE={peer.called_ae_title}"
        )
    if source == _CALLING_UNKNOWN:
        return (
            f"{peer} does not admit the AE title {peer.calling_ae_title}: add it to the listener's "
            "NIGHTREAD_CALLING_AE_TITLES, or use an admitted one with --calling"
        )
    if source in _BUSY:
        return (
            f"{peer} has too many associations open: try again later, or raise the listener's "
            "NIGHTREAD_MAXIMUM_ASSOCIATIONS"
        )
    return f"{peer} rejected the association (source and reason {source}, PS3.8 Table 9-21)"
