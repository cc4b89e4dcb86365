"""What one caller asks for while its association lasts, and what the records keep of it."""

from __future__ import annotations

import datetime as dt
import re
import threading

import structlog

from dicom_listener.access import Access
from dicom_listener.association import Association, DataSet, Ending
from dicom_listener.command import Command, Field
from dicom_listener.commitment import ActionInformation, Commitments
from dicom_listener.negotiation import Context
from dicom_listener.status import Status
from dicom_listener.store import InstanceStore, Refused, Unwanted
from screening.archive.incoming_file import IncomingFile
from screening.errors import RecordsError
from screening.records import association as associations
from screening.records.association import Caller, Outcome
from screening.records.engine import Records
from screening.records.intake import Intake
from screening.records.outbox import announce_now
from screening.watching.figures import ASSOCIATIONS, STORES, begin_at_zero

log = structlog.get_logger(__name__)

begin_at_zero(STORES, [f"0x{status:04X}" for status in Status])
begin_at_zero(ASSOCIATIONS, [outcome.value for outcome in Outcome])


class Visit:
    """The services to one caller; see :class:`dicom_listener.association.Service`.

    Parameters
    ----------
    caller
        Who it is.
    access
        Says what it may do.
    store, commitments, records
        Where its images, its requests for storage commitment and the record of it go.
    on_announce
        Set when studies have become due.
    """

    def __init__(
        self,
        caller: Caller,
        access: Access,
        store: InstanceStore,
        commitments: Commitments,
        records: Records,
        on_announce: threading.Event,
    ) -> None:
        self._caller = caller
        self._access = access
        self._store = store
        self._commitments = commitments
        self._records = records
        self._on_announce = on_announce
        self._since = dt.datetime.now(dt.UTC)
        self._row: int | None = None
        self._studies: set[int] = set()
        self._study: int | None = None
        self._passed: int | None = None
        self._uncounted: list[str] = []

    def begin(self) -> None:
        """Record that it is here. Where the database is down, its first image tries again."""
        try:
            self._recorded()
        except RecordsError as error:
            log.error("association_not_recorded", error=str(error))

    def receive(self, context: Context, command: Command) -> DataSet:
        """Return what takes the data set that follows a command."""
        if command.field == Field.N_ACTION:
            return ActionInformation()
        if command.field != Field.C_STORE:
            return Unwanted(Refused(Status.UNRECOGNIZED_OPERATION, "not a service of ours"))
        title = self._caller.calling_ae_title
        if not self._access.may_store(title):
            why = f"add {title} to NIGHTREAD_STORING_AE_TITLES"
            return Unwanted(Refused(Status.NOT_AUTHORIZED, why))
        return self._store.receive(context, command, title)

    def perform(
        self, context: Context, command: Command, data_set: DataSet | None
    ) -> tuple[int, str]:
        """Answer an echo, a C-STORE, or a request for storage commitment.

        0x0000 when the instance is durable or was already; else see `Status`.
        """
        if command.field == Field.C_ECHO:
            return Status.SUCCESS, ""
        if command.field == Field.N_ACTION:
            return self._request_commitment(context, command, data_set)
        outcome = self._keep(command, data_set)
        if isinstance(outcome, Intake):
            STORES.labels("0x0000").inc()
            self._turn_to(outcome.study_row)
            return Status.SUCCESS, ""
        STORES.labels(f"0x{outcome.status:04X}").inc()
        self._count_refusals(outcome, command)
        return outcome.status, outcome.why

    def _request_commitment(
        self, context: Context, command: Command, data_set: DataSet | None
    ) -> tuple[int, str]:
        if not isinstance(data_set, ActionInformation):
            return Status.INVALID_ARGUMENT, "no data set came with the request"
        title = self._caller.calling_ae_title
        return self._commitments.request(context, command, data_set, title)

    def after_response(self, association: Association, context: Context, command: Command) -> None:
        """Announce a study that the caller has passed; report on storage commitment."""
        self._announce_passed()
        if command.field == Field.N_ACTION:
            try:
                title = self._caller.calling_ae_title
                self._commitments.report_here(association, context, title)
            except RecordsError as error:
                log.error("commitment_not_reported", error=str(error))

    def take_response(self, association: Association, command: Command) -> None:
        """Note whether the caller took our report."""
        try:
            status = Status.PROCESSING_FAILURE if command.status is None else command.status
            self._commitments.reported(association, status)
        except RecordsError as error:
            log.error("commitment_not_recorded", error=str(error))

    def _turn_to(self, study_row: int) -> None:
        """Note of which study the newest image is: the one before it is complete, most likely."""
        if study_row != self._study:
            self._study, self._passed = study_row, self._study
        self._studies.add(study_row)

    def _announce_passed(self) -> None:
        """Have a study announced while its association goes on to others, all night perhaps."""
        if self._passed is None:
            return
        passed, self._passed = self._passed, None
        try:
            with self._records.begin() as session:
                announce_now(session, [passed], dt.datetime.now(dt.UTC))
        except RecordsError as error:
            # It is announced when its quiet time is over, or the association.
            log.error("study_not_announced", error=str(error))
        else:
            self._on_announce.set()

    def _keep(self, command: Command, data_set: DataSet | None) -> Intake | Refused:
        if isinstance(data_set, Unwanted):
            return data_set.refused
        if not isinstance(data_set, IncomingFile):
            return Refused(Status.CANNOT_UNDERSTAND, "no data set came with the command")
        try:
            sender = self._caller.calling_ae_title
            return self._store.keep(data_set, command, self._recorded(), sender)
        except RecordsError as error:
            data_set.discard()
            return Refused(Status.OUT_OF_RESOURCES, str(error), by_database=True)
        except Exception as error:
            # The sender must have an answer, and other senders their listener.
            log.exception("store_failed")
            data_set.discard()
            return Refused(Status.PROCESSING_FAILURE, f"{type(error).__name__} in the listener")

    def _count_refusals(self, refused: Refused, command: Command) -> None:
        refusal = f"0x{refused.status:04X} {refused.why}"
        log.warning(
            "store_refused",
            address=self._caller.peer_address,
            why=refusal,
            # Whatever a sender may have put there: what is no UID could be a patient's ID.
            sop_instance_uid=command.sop_instance_uid if _is_uid(command) else "not a UID",
        )
        self._uncounted.append(refusal)
        if not refused.by_database:
            self._write_refusals()
        # A database that has just refused would hold up the answer a second time: later then.

    def _write_refusals(self) -> None:
        """Write the refusals that are not on record yet, as soon as the database takes them."""
        if not self._uncounted:
            return
        try:
            row = self._recorded()
            with self._records.begin() as session:
                associations.count_refusals(session, row, self._uncounted[-1], len(self._uncounted))
        except RecordsError as error:
            log.error("refusal_not_recorded", error=str(error))
        else:
            self._uncounted.clear()

    def end(self, ending: Ending) -> None:
        """Record how it ended, and have its studies announced at once."""
        ASSOCIATIONS.labels(ending.outcome.value).inc()
        self._write_refusals()
        try:
            row = self._recorded()
            self._records.repeat(
                lambda session: associations.end_association(
                    session,
                    row,
                    outcome=ending.outcome,
                    now=dt.datetime.now(dt.UTC),
                    explanation=ending.explanation,
                    study_rows=self._studies,
                )
            )
        except RecordsError as error:
            # Its studies are announced when their quiet time is over.
            log.error("association_end_not_recorded", error=str(error))
        self._on_announce.set()

    def _recorded(self) -> int:
        """Return the association's row, written late where the database was down at its start."""
        if self._row is None:
            with self._records.begin() as session:
                row = associations.open_association(session, self._caller, self._since)
            self._row = row  # only now is it there
            # A connection has a thread of its own: its lines are of this association.
            structlog.contextvars.bind_contextvars(association=row)
        return self._row


def _is_uid(command: Command) -> bool:
    """Say whether what the command names is of the form that PS3.5 9.1 gives a UID."""
    return re.fullmatch(r"[0-9.]{1,64}", command.sop_instance_uid) is not None
