"""Our SCP: connections are let in or refused, and each refusal is on record."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterable

import structlog

from dicom_listener.access import Access, Rejection
from dicom_listener.address import Port
from dicom_listener.association import Association, Ending
from dicom_listener.commitment import Commitments
from dicom_listener.negotiation import NegotiationError, Request, accept, read_request, reject
from dicom_listener.server import Connection, Server
from dicom_listener.settling import Settling
from dicom_listener.store import InstanceStore
from dicom_listener.tls import explain_handshake, tls_context
from dicom_listener.visit import Visit
from dicom_listener.wire import Wire, WireError
from screening.archive.archive import Archive
from screening.errors import RecordsError
from screening.records import association as associations
from screening.records.association import Caller, Outcome
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.figures import ASSOCIATIONS

log = structlog.get_logger(__name__)

_ASSOCIATE_RQ = 0x01
# DCMTK and Orthanc send what we offer up to 128 KB; larger ones cost us nothing.
_LONGEST_PDU = 1 << 20
# A request with the 128 contexts that its IDs allow and 40 syntaxes each has two thirds of this.
_LONGEST_REQUEST = 1 << 19
# PS3.8 9.1.5, the ARTIM timer: from the connection to the request; and within any message.
_ARTIM_SECONDS = 30
_END_SECONDS = 5


def listener_name(settings: Settings) -> str:
    """Return what the records call the listener of these settings: host:port."""
    return f"{socket.gethostname()}:{settings.dicom_port or settings.tls_port}"


class Listener:
    """Our SCP of the Verification, Storage and Storage Commitment services.

    Parameters
    ----------
    settings
        AE title, address, ports, who may call, how many at once.
    archive, records
        Where instances are kept.
    on_announce
        Set when studies have become due, so that they are announced without waiting for a round.
    number
        Of this process, where several share the port; empty where there is one.

    Raises
    ------
    DependencyError
        If the certificates for TLS cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        records: Records,
        on_announce: threading.Event,
        *,
        number: str = "",
    ) -> None:
        self._settings = settings
        self._name = listener_name(settings) + number
        self._first = number in ("", "#0")
        self._records = records
        self._access = Access(settings)
        self._settling = Settling(
            archive, records, self._name, at_start=self._first, lanes=settings.lane_rule
        )
        self._store = InstanceStore(
            archive,
            records,
            quiet=dt.timedelta(seconds=settings.study_quiet_seconds),
            lanes=settings.lane_rule,
            on_orphan=self._settling.look_again,
        )
        self._commitments = Commitments(settings, records, archive)
        self._stopping = threading.Event()
        self._tasks: list[threading.Thread] = []
        self._on_announce = on_announce
        self._tls = tls_context(settings) if settings.tls_port else None
        self._server = Server(self._serve)

    def start(self, ports: Iterable[Port]) -> None:
        """Serve the connections of these ports, by threads of their own, from now on."""
        settings = self._settings
        for port in ports:
            self._server.listen(port)
        self._begin(self._settling.run, "settling")
        if self._first:
            self._begin(self._commitments.call_back, "commitments")
        log.info(
            "listening",
            host=settings.dicom_host,
            port=settings.dicom_port,
            tls_port=settings.tls_port,
            ae_title=settings.ae_title,
        )

    def _begin(self, task: Callable[[threading.Event], None], name: str) -> None:
        """Let a task of the first of several processes run beside the associations."""
        thread = threading.Thread(target=task, args=(self._stopping,), name=name, daemon=True)
        self._tasks.append(thread)
        thread.start()

    def stop(self, drain_seconds: float = 10.0) -> None:
        """Refuse new connections, let open ones finish for a while, then abort what is left."""
        self._stopping.set()
        self._commitments.wake()
        self._server.refuse()
        if not self._server.wait(drain_seconds):
            self._server.interrupt()
            self._server.wait(_END_SECONDS)
        for task in self._tasks:
            task.join(_END_SECONDS)

    def _serve(self, connection: Connection) -> None:
        try:
            if not self._speaks(connection):
                return  # it connected and went: whatever watches the port does so
            wire = self._wire(connection)
            request = self._request(wire)
        except WireError as error:
            self._record_rejection(connection, "", "", str(error))
            return
        except NegotiationError as error:
            self._record_rejection(
                connection, error.calling_ae_title, error.called_ae_title, str(error)
            )
            wire.abort()
            return
        if request is None:
            return
        with self._access.admit(request, connection.address) as rejection:
            if rejection is None:
                connection.pending = False
                self._associate(connection, wire, request)
            else:
                self._reject(connection, wire, request, rejection)

    def _speaks(self, connection: Connection) -> bool:
        """Wait for the first byte, which stays where it is."""
        try:
            connection.socket.settimeout(_ARTIM_SECONDS)
            return bool(connection.socket.recv(1, socket.MSG_PEEK))
        except TimeoutError:
            raise WireError(f"it was silent for {_ARTIM_SECONDS:g} seconds") from None
        except OSError:
            return False

    def _wire(self, connection: Connection) -> Wire:
        raw = connection.socket
        # Without it the last small packet of a message waits for an acknowledgement, about 40 ms.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _ARTIM_SECONDS * 1000)
        if connection.secure:
            assert self._tls is not None, "no port for TLS is open without it"
            raw.settimeout(_ARTIM_SECONDS)
            try:
                # The connection's own from now on, so that it can be dropped in the handshake.
                secured = self._tls.wrap_socket(
                    raw, server_side=True, do_handshake_on_connect=False
                )
                connection.socket = secured
                secured.do_handshake()
            except OSError as error:  # those of ssl are among them
                raise WireError(explain_handshake(error)) from None
        return Wire(connection.socket, _ARTIM_SECONDS)

    def _request(self, wire: Wire) -> Request | None:
        pdu = wire.next_pdu(_ARTIM_SECONDS)
        if pdu is None:
            return None
        kind, length = pdu
        if kind != _ASSOCIATE_RQ or length > _LONGEST_REQUEST:
            raise NegotiationError("what it sent is no request for an association of DICOM's")
        header = bytes((kind, 0)) + length.to_bytes(4, "big")
        return read_request(header + wire.read(length))

    def _associate(self, connection: Connection, wire: Wire, request: Request) -> None:
        contexts, answer = accept(request, _LONGEST_PDU)
        visit = Visit(
            self._caller(connection, request.calling_ae_title, request.called_ae_title),
            self._access,
            self._store,
            self._commitments,
            self._records,
            self._on_announce,
        )
        visit.begin()
        association = Association(
            wire,
            contexts,
            visit,
            longest_pdu=request.longest_pdu,
            idle_seconds=self._settings.idle_seconds,
        )
        ending = association.serve(answer)
        if self._stopping.is_set() and ending.outcome is Outcome.ABORTED:
            ending = Ending(Outcome.ABORTED, "the listener stopped: the sender repeats the rest")
        self._commitments.forget(association)
        visit.end(ending)

    def _reject(
        self, connection: Connection, wire: Wire, request: Request, rejection: Rejection
    ) -> None:
        self._record_rejection(
            connection, request.calling_ae_title, request.called_ae_title, rejection.why
        )
        with contextlib.suppress(WireError, OSError):
            wire.send(reject(*rejection.answer.value))
            # It closes the connection when it has read our answer; whatever it says is dropped. It
            # is among those that may be let go, and has these seconds in all.
            deadline = time.monotonic() + _END_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                connection.socket.settimeout(left)
                if not connection.socket.recv(1 << 12):
                    return

    def _record_rejection(
        self, connection: Connection, calling: str, called: str, why: str
    ) -> None:
        ASSOCIATIONS.labels(Outcome.REJECTED.value).inc()
        log.warning("association_rejected", address=connection.address, why=why)
        caller = self._caller(connection, calling, called)
        try:
            with self._records.begin() as session:
                associations.reject_association(session, caller, _now(), why)
        except RecordsError as error:
            log.error("rejection_not_recorded", error=str(error))

    def _caller(self, connection: Connection, calling: str, called: str) -> Caller:
        return Caller(
            calling_ae_title=calling,
            called_ae_title=called,
            peer_address=connection.address,
            listener=self._name,
        )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
