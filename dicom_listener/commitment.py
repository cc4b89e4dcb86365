"""Storage commitment as SCP, PS3.4 Annex J: a request is kept, looked up, and answered."""

from __future__ import annotations

import datetime as dt
import threading

import structlog

from dicom_listener.association import Association
from dicom_listener.command import Command
from dicom_listener.negotiation import Context
from dicom_listener.status import Status
from dicom_listener.wire import WireError
from pacs.commitment import send_report
from pacs.peer import Peer
from screening.archive.archive import Archive
from screening.dicom.commitment import read_request, write_report
from screening.domain.commitment import (
    PUSH_MODEL,
    WELL_KNOWN_INSTANCE,
    CommitmentResult,
    FailureReason,
    Reference,
)
from screening.errors import ArchiveError, HeaderError, RecordsError, SendError
from screening.records import commitment as commitments
from screening.records.commitment import CommitmentRequest
from screening.records.engine import Records
from screening.records.holdings import HeldInstance, held_instances
from screening.settings import Settings

log = structlog.get_logger(__name__)

_REQUEST = 1  # Action Type ID, PS3.4 Table J.3-1

# About 30,000 instances; a study has a few.
_LONGEST_REQUEST = 1 << 22
_FIRST_PAUSE = dt.timedelta(seconds=5)
_LONGEST_PAUSE = dt.timedelta(minutes=10)


class ActionInformation:
    """The data set of a request, held in memory as far as it is of any sense."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._too_long = False

    def write(self, piece: memoryview) -> None:
        """Take the next bytes."""
        self._too_long = self._too_long or len(self._content) + len(piece) > _LONGEST_REQUEST
        if not self._too_long:
            self._content += piece

    def discard(self) -> None:
        """Forget them."""
        self._content.clear()

    def whole(self) -> bytes:
        """Return them all.

        Raises
        ------
        HeaderError
            If they are too many.
        """
        if self._too_long:
            raise HeaderError(f"the request has more than {_LONGEST_REQUEST} bytes: divide it")
        return bytes(self._content)


class Commitments:
    """Answers requests for storage commitment, and reports what became of them.

    A sender that `Settings.commitment_peers` names is called back on an association of its own, as
    most expect; any other is told on the association of its request, or of a later one.

    Parameters
    ----------
    settings
        Whom to call back, and as whom.
    records, archive
        Where the instances are.
    """

    def __init__(self, settings: Settings, records: Records, archive: Archive) -> None:
        self._settings = settings
        self._records = records
        self._archive = archive
        self._due = threading.Event()
        self._pending: dict[Association, list[CommitmentRequest]] = {}

    def request(
        self, context: Context, command: Command, information: ActionInformation, calling: str
    ) -> tuple[int, str]:
        """Keep a request, and return the status and comment of the N-ACTION's response.

        0x0000 when its row is durable; else PS3.7 10.1.4.1.10.
        """
        if (command.sop_class_uid, command.sop_instance_uid) != (PUSH_MODEL, WELL_KNOWN_INSTANCE):
            return Status.NO_SUCH_INSTANCE, "only the well-known instance takes this action"
        if command.action_type != _REQUEST:
            return Status.NO_SUCH_ACTION, "the only action is 1, a request for commitment"
        try:
            transaction, references = read_request(information.whole(), context.transfer_syntax_uid)
            now = dt.datetime.now(dt.UTC)
            with self._records.begin() as session:
                commitments.request_commitment(session, calling, transaction, references, now)
        except HeaderError as error:
            return Status.INVALID_ARGUMENT, str(error)
        except RecordsError as error:
            return Status.RESOURCE_LIMITATION, str(error)
        self.wake()
        return Status.SUCCESS, ""

    def report_here(self, association: Association, context: Context, calling: str) -> None:
        """Report what a sender waits for on its own association, unless it is called back."""
        if calling in self._settings.commitment_peers:
            return
        for request in self._due_requests([calling]):
            if request in self._pending.get(association, ()):
                continue
            try:
                result = self._look_up(request)
            except ArchiveError as error:
                log.error("commitment_not_reported", row=request.row, error=str(error))
                self._put_off(request, str(error))
                continue
            try:
                association.report(
                    PUSH_MODEL,
                    WELL_KNOWN_INSTANCE,
                    int(result.event_type),
                    write_report(result, context.transfer_syntax_uid),
                )
            except WireError as error:
                self._untold(request, str(error))
                return
            self._pending.setdefault(association, []).append(request)

    def reported(self, association: Association, status: int) -> None:
        """Take the sender's response to our oldest unanswered report on its association."""
        pending = self._pending.get(association)
        if pending:
            request = pending.pop(0)
            if status == Status.SUCCESS:
                self._mark_reported(request)
            else:
                self._put_off(request, f"the sender answered 0x{status:04X} to our report")

    def forget(self, association: Association) -> None:
        """Note that an association is over: what it did not answer stays due."""
        for request in self._pending.pop(association, ()):
            try:
                self._untold(request, "its association ended before it had answered our report")
            except RecordsError as error:
                log.error("commitment_not_recorded", error=str(error))

    def _untold(self, request: CommitmentRequest, why: str) -> None:
        """Keep a request due whose sender is told on its own associations alone."""
        title = request.calling_ae_title
        error = f"{why}: name {title} in NIGHTREAD_COMMITMENT_PEERS, and it is called back"
        log.warning("commitment_not_reported", row=request.row, error=error)
        self._postpone(request, error, dt.timedelta(0))

    def call_back(self, until: threading.Event) -> None:
        """Report to the senders that are called back, as requests come and pauses end.

        Parameters
        ----------
        until
            Set when the listener stops.
        """
        while not until.is_set():
            self._due.wait(1.0)
            self._due.clear()
            try:
                for request in self._due_requests(list(self._settings.commitment_peers)):
                    if until.is_set():
                        return
                    self._call(request)
            except RecordsError as error:
                log.error("commitments_not_reported", error=str(error))
                until.wait(5.0)

    def wake(self) -> None:
        """Let `call_back` look at once whether there is something to do, or to stop."""
        self._due.set()

    def _call(self, request: CommitmentRequest) -> None:
        host, port = self._settings.commitment_peers[request.calling_ae_title]
        peer = Peer(host, port, request.calling_ae_title, self._settings.ae_title)
        try:
            send_report(peer, self._look_up(request))
        except (SendError, ArchiveError) as error:
            log.warning("commitment_not_reported", peer=str(peer), error=str(error))
            self._put_off(request, str(error))
        else:
            self._mark_reported(request)

    def _due_requests(self, titles: list[str]) -> list[CommitmentRequest]:
        with self._records.read() as session:
            return commitments.due_commitments(session, dt.datetime.now(dt.UTC), titles)

    def _mark_reported(self, request: CommitmentRequest) -> None:
        with self._records.begin() as session:
            commitments.mark_reported(session, request.row, dt.datetime.now(dt.UTC))

    def _put_off(self, request: CommitmentRequest, error: str) -> None:
        """Try again after a pause that grows with each failure."""
        pause = min(_FIRST_PAUSE * 2 ** min(request.attempts, 16), _LONGEST_PAUSE)
        self._postpone(request, error, pause)

    def _postpone(self, request: CommitmentRequest, error: str, pause: dt.timedelta) -> None:
        with self._records.begin() as session:
            due_at = dt.datetime.now(dt.UTC) + pause
            commitments.postpone_commitment(session, request.row, due_at, error)

    def _look_up(self, request: CommitmentRequest) -> CommitmentResult:
        """Say which instances we hold now: their row, and their bytes in the archive.

        Raises
        ------
        ArchiveError
            If the archive as a whole is not there: nothing true can be said.
        """
        with self._records.read() as session:
            known = held_instances(
                session, [reference.sop_instance_uid for reference in request.references]
            )
        reasons = [
            (
                reference,
                FailureReason.DUPLICATE_TRANSACTION
                if request.duplicate
                else self._reason(reference, known.get(reference.sop_instance_uid)),
            )
            for reference in request.references
        ]
        return CommitmentResult(
            request.transaction_uid,
            tuple(reference for reference, reason in reasons if reason is None),
            tuple((reference, reason) for reference, reason in reasons if reason is not None),
        )

    def _reason(self, reference: Reference, held: HeldInstance | None) -> FailureReason | None:
        if held is None or held.is_gone or not self._archive.holds(held.digest):
            return FailureReason.NO_SUCH_INSTANCE
        if held.sop_class_uid != reference.sop_class_uid:
            return FailureReason.CLASS_CONFLICT
        return None
