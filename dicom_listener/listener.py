"""The port: associations come in, are followed to their end, and their studies announced."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from dicom_listener.access import explain_rejection
from dicom_listener.address import require_free
from dicom_listener.status import Status
from dicom_listener.store import InstanceStore, Refused, answer
from screening.archive.archive import Archive
from screening.errors import RecordsError
from screening.records import association as associations
from screening.records import outbox
from screening.records.association import Caller, Outcome, StoreCount
from screening.records.engine import Records
from screening.records.intake import Intake
from screening.settings import Settings

log = structlog.get_logger(__name__)

# storescu and Orthanc send what we offer, up to 128 KB; more costs memory and gains nothing.
_MAXIMUM_PDU_BYTES = 1 << 18
_ACSE_SECONDS = 30
_IDLE_SECONDS = 120


@dataclass(slots=True)
class _OpenAssociation:
    """What the listener knows of an association while it lasts."""

    caller: Caller
    row: int | None = None
    studies: set[int] = field(default_factory=set)


class Listener:
    """Our SCP of the Verification and Storage services.

    Parameters
    ----------
    settings
        AE title, address, port, who may call, how many at once.
    archive, records
        Where instances are kept.
    on_announce
        Set when studies have become due, so that they are announced without waiting for a round.
    """

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        records: Records,
        on_announce: threading.Event,
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._records = records
        self._store = InstanceStore(
            archive, records, quiet=dt.timedelta(seconds=settings.study_quiet_seconds)
        )
        self._on_announce = on_announce
        self._name = f"{socket.gethostname()}:{settings.dicom_port}"
        self._open: dict[Association, _OpenAssociation] = {}
        self._connections: dict[Association, socket.socket] = {}
        self._dead: set[Association] = set()
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        """Open the port; associations are served by threads of their own from now on.

        Raises
        ------
        DependencyError
            If the port cannot be had.
        RecordsError
            If the database does not answer.
        """
        with self._records.begin() as session:
            associations.close_lost_associations(session, self._name, _now())
        self._receive_into_archive()
        address = (self._settings.dicom_host, self._settings.dicom_port)
        # pynetdicom's server leaves its socket half open where the address is taken.
        require_free(*address)
        self._server = self._entity().start_server(
            address, block=False, evt_handlers=self._handlers()
        )
        log.info("listening", host=address[0], port=address[1], ae_title=self._settings.ae_title)

    def stop(self, drain_seconds: float = 10.0) -> None:
        """Refuse new associations, let open ones finish for a while, then abort what is left."""
        if self._server is None:
            return
        entity = self._server.ae
        self._server.shutdown()
        deadline = threading.Event()
        for _ in range(int(drain_seconds * 10)):
            if not self._open:
                break
            deadline.wait(0.1)
        entity.shutdown()
        for _ in range(2):
            self.reap()
        self._server = None
        _config.STORE_RECV_CHUNKED_DATASET, _config.UNRESTRICTED_STORAGE_SERVICE = False, False
        tempfile.tempdir = None

    def reap(self) -> None:
        """End the associations whose thread died under them, which tells us of no end.

        pynetdicom's reactor dies of a command that it cannot decode and of a disk that is full: the
        connection and the half-written file are then nobody's.
        """
        for assoc, connection in list(self._connections.items()):
            if not _is_dead(assoc):
                continue
            if assoc not in self._dead:
                self._dead.add(assoc)  # it may be about to tell us of its end: wait a round
                continue
            self._end(assoc, Outcome.ABORTED, "the association broke on a message or on the disk")
            _release(assoc)
            connection.close()
            del self._connections[assoc]
            self._dead.discard(assoc)

    def _entity(self) -> AE:
        ae = AE(self._settings.ae_title)
        ae.add_supported_context(Verification)
        ae.require_called_aet = True
        ae.require_calling_aet = list(self._settings.calling_ae_titles)
        ae.maximum_associations = self._settings.maximum_associations
        ae.maximum_pdu_size = _MAXIMUM_PDU_BYTES
        ae.acse_timeout = _ACSE_SECONDS
        ae.dimse_timeout = _IDLE_SECONDS
        ae.network_timeout = _IDLE_SECONDS
        return ae

    def _receive_into_archive(self) -> None:
        """Have pynetdicom stream data sets to files that a rename can move into the archive.

        Its switches are the process's own, and it takes the folder from `tempfile`. Every storage
        SOP Class and transfer syntax is accepted, private ones too: bytes are kept as they came,
        and what cannot be scored is listed rather than refused.
        """
        _config.STORE_RECV_CHUNKED_DATASET = True
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        tempfile.tempdir = str(self._archive.incoming)

    def _handlers(self) -> list[EventHandlerType]:
        return [
            (evt.EVT_CONN_OPEN, self._on_connected),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, self._on_released),
            (evt.EVT_ABORTED, self._on_aborted),
            (evt.EVT_CONN_CLOSE, self._on_disconnected),
        ]

    def _on_connected(self, event: Event) -> None:
        # Without it the last small packet of a message waits for an acknowledgement, about 40 ms.
        transport = event.assoc.dul.socket
        if transport is None or transport.socket is None:
            return
        connection = transport.socket
        self._connections[event.assoc] = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # pynetdicom reads a PDU to its end before it looks at any of its timers: half a PDU from a
        # sender that lost its power would hold the place for ever.
        connection.settimeout(_ACSE_SECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _ACSE_SECONDS * 1000)

    def _on_accepted(self, event: Event) -> None:
        known = _OpenAssociation(self._caller(event.assoc))
        self._open[event.assoc] = known
        try:
            self._row(known)
        except RecordsError as error:
            log.error("association_not_recorded", error=str(error))

    def _on_rejected(self, event: Event) -> None:
        caller = self._caller(event.assoc)
        sent = event.assoc.acceptor.primitive
        assert sent is not None, "the event follows an A-ASSOCIATE-RJ"
        why = explain_rejection(
            (sent.result, sent.result_source, sent.diagnostic),
            calling=caller.calling_ae_title,
            called=caller.called_ae_title,
            settings=self._settings,
        )
        log.warning("association_rejected", address=caller.peer_address, why=why)
        try:
            with self._records.begin() as session:
                associations.reject_association(session, caller, _now(), why)
        except RecordsError as error:
            log.error("rejection_not_recorded", error=str(error))

    def _on_echo(self, event: Event) -> int:
        return int(Status.SUCCESS)

    def _on_store(self, event: Event) -> Dataset:
        """Answer a C-STORE.

        0x0000 when the instance is durable or was already; 0xA700 when the disk or the database
        cannot take it; 0xA900 when the data set is not what the command says; 0xC000 when it
        cannot be read as far as its UIDs; 0x0110 for an error of our own.
        """
        known = self._open[event.assoc]
        try:
            outcome = self._store.keep(event, self._row(known))
        except RecordsError as error:
            outcome = Refused(Status.OUT_OF_RESOURCES, str(error), by_database=True)
        except Exception as error:
            # The sender must have an answer, and other senders their listener.
            log.exception("store_failed")
            outcome = Refused(Status.PROCESSING_FAILURE, f"{type(error).__name__} in the listener")
        if isinstance(outcome, Intake):
            known.studies.add(outcome.study_row)
        else:
            self._count_refusal(known, outcome)
        return answer(outcome)

    def _count_refusal(self, known: _OpenAssociation, refused: Refused) -> None:
        refusal = f"0x{refused.status:04X} {refused.why}"
        log.warning("store_refused", address=known.caller.peer_address, why=refusal)
        if known.row is None or refused.by_database:
            return  # a database that has just refused would hold up the answer a second time
        try:
            with self._records.begin() as session:
                associations.count_store(session, known.row, StoreCount.REFUSED, refusal=refusal)
        except RecordsError as error:
            log.error("refusal_not_recorded", error=str(error))

    def _on_released(self, event: Event) -> None:
        self._end(event.assoc, Outcome.RELEASED)

    def _on_aborted(self, event: Event) -> None:
        self._end(event.assoc, Outcome.ABORTED, "the sender aborted, or was silent for too long")

    def _on_disconnected(self, event: Event) -> None:
        self._end(event.assoc, Outcome.ABORTED, "the connection broke")

    def _end(self, assoc: Association, outcome: Outcome, explanation: str | None = None) -> None:
        known = self._open.pop(assoc, None)
        if known is None or known.row is None:
            return
        now = _now()
        try:
            with self._records.begin() as session:
                associations.close_association(
                    session, known.row, outcome=outcome, now=now, explanation=explanation
                )
                outbox.announce_now(session, known.studies, now)
        except RecordsError as error:
            # Its studies are announced when their quiet time is over.
            log.error("association_end_not_recorded", error=str(error))
        self._on_announce.set()

    def _caller(self, assoc: Association) -> Caller:
        request = assoc.requestor.primitive
        assert request is not None, "an association begins with its request"
        return Caller(
            calling_ae_title=str(request.calling_ae_title).strip(),
            called_ae_title=str(request.called_ae_title).strip(),
            peer_address=str(assoc.requestor.address),
            listener=self._name,
        )

    def _row(self, known: _OpenAssociation) -> int:
        """Return the association's row, written late where the database was down at its start."""
        if known.row is None:
            with self._records.begin() as session:
                known.row = associations.open_association(session, known.caller, _now())
        return known.row


def _is_dead(assoc: Association) -> bool:
    """Say whether a thread of an association has ended; one that has yet to start has not."""
    return any(thread.ident is not None and not thread.is_alive() for thread in (assoc, assoc.dul))


def _release(assoc: Association) -> None:
    """Remove the file that a dead association was writing, and end what is left of it."""
    message = assoc.dimse.message
    file = message._data_set_file if message is not None else None
    if file is not None:
        with contextlib.suppress(OSError):
            file.close()
        Path(file.name).unlink(missing_ok=True)
    assoc.kill()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
