"""One association from its acceptance to its end: messages in, responses out, PS3.8 9.2.

A thread serves it from beginning to end and waits in the socket, so there is nothing to poll and
no queue between the bytes and the disk.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from dicom_listener.command import (
    RESPONSE,
    Command,
    CommandError,
    Field,
    read_command,
    write_event_report,
    write_response,
)
from dicom_listener.negotiation import Context
from dicom_listener.status import Status
from dicom_listener.wire import Wire, WireError
from screening.records.association import Outcome

log = structlog.get_logger(__name__)

P_DATA, RELEASE_RQ, ABORT = 0x04, 0x05, 0x07
_RELEASE_RP = struct.pack(">BxIxxxx", 0x06, 4)
_PDV_HEADER = struct.Struct(">IBB")
_COMMAND, _LAST = 0x01, 0x02

# The longest command has a dozen elements; names of 16 and UIDs of 64 characters.
_LONGEST_COMMAND = 1 << 14
# Of a release or an abort, which have four.
_LONGEST_CONTROL_PDU = 1 << 10


class DataSet(Protocol):
    """Takes the bytes of a data set as they arrive."""

    def write(self, piece: memoryview) -> None:
        """Take the next bytes, which are the caller's again when this returns."""

    def discard(self) -> None:
        """Forget them: the association ended in the middle, or they were refused."""


class Service(Protocol):
    """What requests ask for."""

    def receive(self, context: Context, command: Command) -> DataSet:
        """Return what takes the data set that follows a command."""

    def perform(
        self, context: Context, command: Command, data_set: DataSet | None
    ) -> tuple[int, str]:
        """Do what a command asks, and return the status and comment of its response."""

    def after_response(self, association: Association, context: Context, command: Command) -> None:
        """Do what follows a response on the same association."""

    def take_response(self, association: Association, command: Command) -> None:
        """Take the peer's response to a request of ours."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an association ended, and why if not by a release."""

    outcome: Outcome
    explanation: str | None = None


class _Abort(Exception):  # noqa: N818 - the word of PS3.8
    """We end it; the message says why."""


class Association:
    """An association that was accepted.

    Parameters
    ----------
    wire
        Its connection.
    contexts
        The accepted presentation contexts.
    service
        Performs what is asked.
    longest_pdu
        The longest P-DATA-TF that the peer takes, in bytes; 0 is any.
    idle_seconds
        How long the peer may be silent between messages.
    """

    def __init__(
        self,
        wire: Wire,
        contexts: Mapping[int, Context],
        service: Service,
        *,
        longest_pdu: int,
        idle_seconds: float,
    ) -> None:
        self._wire = wire
        self._contexts = contexts
        self._service = service
        self._longest_pdu = longest_pdu
        self._idle_seconds = idle_seconds
        self._fragments = bytearray()
        self._command: Command | None = None
        self._context_id = 0
        self._data_set: DataSet | None = None
        self._message_id = 0

    def serve(self, acceptance: bytes) -> Ending:
        """Send the A-ASSOCIATE-AC, and serve requests until the association ends."""
        try:
            self._wire.send(acceptance)
            return self._serve()
        except _Abort as error:
            self._wire.abort()
            return Ending(Outcome.ABORTED, f"we aborted it: {error}")
        except WireError as error:
            self._wire.abort()
            return Ending(Outcome.ABORTED, str(error))
        except Exception as error:
            # What was answered is to be announced, and the end recorded, whatever it was.
            log.exception("association_failed")
            self._wire.abort()
            return Ending(Outcome.ABORTED, f"we aborted it: {type(error).__name__} in the listener")
        finally:
            if self._data_set is not None:
                self._data_set.discard()

    def _serve(self) -> Ending:
        while True:
            pdu = self._wire.next_pdu(self._idle_seconds)
            if pdu is None:
                self._wire.abort()  # whoever shut the connection, it is over
                return Ending(Outcome.ABORTED, "the sender closed the connection unreleased")
            kind, length = pdu
            if kind == P_DATA:
                self._read_data(length)
                continue
            if length > _LONGEST_CONTROL_PDU:
                raise _Abort(f"a PDU of type {kind:#04x} and {length} bytes")
            self._wire.read(length)
            if kind == RELEASE_RQ:
                self._wire.send(_RELEASE_RP)
                return Ending(Outcome.RELEASED)
            if kind == ABORT:
                return Ending(Outcome.ABORTED, "the sender aborted it")
            raise _Abort(f"a PDU of type {kind:#04x} where a message was due")

    def _read_data(self, length: int) -> None:
        """Read the presentation data values of one P-DATA-TF, PS3.8 9.3.5."""
        while length:
            if length < _PDV_HEADER.size:
                raise _Abort("a P-DATA-TF whose lengths do not add up")
            size, context_id, control = _PDV_HEADER.unpack(self._wire.read(_PDV_HEADER.size))
            length -= size + 4
            size -= 2
            if size < 0 or length < 0:
                raise _Abort("a P-DATA-TF whose lengths do not add up")
            if control & _COMMAND:
                self._read_command(context_id, size, last=bool(control & _LAST))
            else:
                self._read_data_set(context_id, size, last=bool(control & _LAST))

    def _read_command(self, context_id: int, size: int, *, last: bool) -> None:
        if self._command is not None:
            raise _Abort("a command where the data set of another was due")
        if len(self._fragments) + size > _LONGEST_COMMAND:
            raise _Abort(f"a command of more than {_LONGEST_COMMAND} bytes")
        self._fragments += self._wire.read(size)
        if not last:
            return
        content, self._fragments = bytes(self._fragments), bytearray()
        try:
            command = read_command(content)
        except CommandError as error:
            raise _Abort(str(error)) from None
        context = self._context(context_id)
        if command.has_data_set:
            self._command, self._context_id = command, context_id
            self._data_set = self._service.receive(context, command)
        else:
            self._answer(context_id, command, None)

    def _read_data_set(self, context_id: int, size: int, *, last: bool) -> None:
        command, data_set = self._command, self._data_set
        if command is None or data_set is None or context_id != self._context_id:
            raise _Abort("a data set without its command")
        for piece in self._wire.pieces(size):
            data_set.write(piece)
        if last:
            self._command = None
            self._answer(context_id, command, data_set)
            self._data_set = None

    def _context(self, context_id: int) -> Context:
        context = self._contexts.get(context_id)
        if context is None:
            raise _Abort(f"a message in the presentation context {context_id}, not agreed on")
        return context

    def _answer(self, context_id: int, command: Command, data_set: DataSet | None) -> None:
        if command.field & RESPONSE:
            self._service.take_response(self, command)
            return
        if command.field == Field.C_CANCEL:
            return  # nothing here takes long enough to be cancelled
        context = self._context(context_id)
        if command.field in (Field.C_ECHO, Field.C_STORE, Field.N_ACTION):
            status, comment = self._service.perform(context, command, data_set)
        else:
            if data_set is not None:
                data_set.discard()
            status, comment = int(Status.UNRECOGNIZED_OPERATION), "not a service of ours"
        self._context_id = context_id
        self._send(write_response(command, status, comment), _COMMAND)
        self._service.after_response(self, context, command)

    def report(
        self, sop_class_uid: str, sop_instance_uid: str, event_type: int, data_set: bytes
    ) -> None:
        """Send an N-EVENT-REPORT request in the context of the last message, PS3.7 10.1.1.

        Its response goes to `Service.take_response`.

        Raises
        ------
        WireError
            If the connection breaks.
        """
        self._message_id = self._message_id % 0xFFFF + 1
        command = write_event_report(self._message_id, sop_class_uid, sop_instance_uid, event_type)
        self._send(command, _COMMAND)
        self._send(data_set, 0)

    def _send(self, content: bytes, control: int) -> None:
        """Send a command or a data set in P-DATA-TFs that the peer can take."""
        most = max(1, self._longest_pdu - _PDV_HEADER.size) if self._longest_pdu else len(content)
        for at in range(0, len(content), most):
            part = content[at : at + most]
            last = _LAST if at + most >= len(content) else 0
            pdv = _PDV_HEADER.pack(len(part) + 2, self._context_id, control | last) + part
            self._wire.send(struct.pack(">BxI", P_DATA, len(pdv)) + pdv)
