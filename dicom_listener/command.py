"""The command set of a DIMSE message, PS3.7 6.3.1: group 0000 in implicit VR little endian.

Read and written by hand: a command has at most a dozen elements of three kinds, and there is one
for each image.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

_HEADER = struct.Struct("<HHI")
_NO_DATA_SET = 0x0101
_A_DATA_SET = 0x0001

_AFFECTED_SOP_CLASS = 0x0002
_REQUESTED_SOP_CLASS = 0x0003
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_ANSWERED_ID = 0x0120
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE = 0x1000
_REQUESTED_SOP_INSTANCE = 0x1001
_EVENT_TYPE = 0x1002
_ACTION_TYPE = 0x1008

# Error Comment has the value representation LO: 64 characters, PS3.7 Annex E.
_COMMENT_LENGTH = 64

# PS3.5 9.1 allows 64; a data set's are read up to as many as here.
_LONGEST_UID = 256

RESPONSE = 0x8000
"""Set in the command field of a response, PS3.7 Annex E."""


class Field(IntEnum):
    """Command fields that we know, PS3.7 Table E.1-1."""

    C_STORE = 0x0001
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_ACTION = 0x0130
    C_CANCEL = 0x0FFF


class CommandError(Exception):
    """A command set that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Command:
    """A request, or a response to one of ours.

    Attributes
    ----------
    field
        Command Field (0000,0100).
    message_id
        Of a request; of a response, that of the request it answers.
    has_data_set
        Whether a data set follows.
    sop_class_uid, sop_instance_uid
        The affected ones, or the requested ones where the service names them so. Empty if absent.
    action_type, status
        ``None`` where absent.
    """

    field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    action_type: int | None = None
    status: int | None = None


def read_command(content: bytes) -> Command:
    """Read a command set.

    Raises
    ------
    CommandError
        If it breaks off, or lacks what every command has.
    """
    elements = _elements(content)
    field = _integer(elements, _COMMAND_FIELD)
    number = _integer(elements, _ANSWERED_ID if field and field & RESPONSE else _MESSAGE_ID)
    kind = _integer(elements, _DATA_SET_TYPE)
    if field is None or kind is None or (number is None and field != Field.C_CANCEL):
        raise CommandError("the command lacks its field, its message ID or its data set type")
    return Command(
        field,
        number or 0,
        kind != _NO_DATA_SET,
        _uid(elements, _AFFECTED_SOP_CLASS) or _uid(elements, _REQUESTED_SOP_CLASS),
        _uid(elements, _AFFECTED_SOP_INSTANCE) or _uid(elements, _REQUESTED_SOP_INSTANCE),
        _integer(elements, _ACTION_TYPE),
        _integer(elements, _STATUS),
    )


def _elements(content: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    while position < len(content):
        if position + _HEADER.size > len(content):
            raise CommandError("the command breaks off")
        group, element, length = _HEADER.unpack_from(content, position)
        position += _HEADER.size
        if group != 0x0000 or position + length > len(content):
            raise CommandError("the command breaks off, or holds what is none")
        found[element] = content[position : position + length]
        position += length
    return found


def _integer(elements: Mapping[int, bytes], element: int) -> int | None:
    value = elements.get(element, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None


def _uid(elements: Mapping[int, bytes], element: int) -> str:
    """Return a UID; one that is no text, or that goes on and on, is as good as none."""
    text = elements.get(element, b"").decode("ascii", "replace").rstrip("\0 ")
    usable = len(text) <= _LONGEST_UID and text.isascii() and text.isprintable()
    return text if usable else ""


def write_response(command: Command, status: int, comment: str = "") -> bytes:
    """Return the response to a request, without a data set.

    Parameters
    ----------
    command
        The request.
    status
        PS3.7 Annex C, or of its service.
    comment
        Why it failed, for Error Comment (0000,0902): its first 64 characters are sent.
    """
    normalised = command.field in (Field.N_ACTION, Field.N_EVENT_REPORT)
    elements: dict[int, int | str] = {
        _AFFECTED_SOP_CLASS: command.sop_class_uid,
        _COMMAND_FIELD: command.field | RESPONSE,
        _ANSWERED_ID: command.message_id,
        _DATA_SET_TYPE: _NO_DATA_SET,
        _STATUS: status,
        _ERROR_COMMENT: comment[:_COMMENT_LENGTH],
        _AFFECTED_SOP_INSTANCE: command.sop_instance_uid,
    }
    if normalised and command.action_type is not None:
        elements[_ACTION_TYPE] = command.action_type
    return _write(elements)


def write_event_report(
    message_id: int, sop_class_uid: str, sop_instance_uid: str, event_type: int
) -> bytes:
    """Return the command of an N-EVENT-REPORT request, which a data set follows, PS3.7 10.3.1."""
    return _write(
        {
            _AFFECTED_SOP_CLASS: sop_class_uid,
            _COMMAND_FIELD: int(Field.N_EVENT_REPORT),
            _MESSAGE_ID: message_id,
            _DATA_SET_TYPE: _A_DATA_SET,
            _AFFECTED_SOP_INSTANCE: sop_instance_uid,
            _EVENT_TYPE: event_type,
        }
    )


def _write(elements: Mapping[int, int | str]) -> bytes:
    """Encode elements in ascending order behind their group length; empty text is left out."""
    body = b"".join(
        _element(element, value) for element, value in sorted(elements.items()) if value != ""
    )
    return _HEADER.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def _element(element: int, value: int | str) -> bytes:
    if isinstance(value, int):
        content = value.to_bytes(2, "little")
    else:
        content = value.encode("ascii", "replace")
        padding = b" " if element == _ERROR_COMMENT else b"\0"
        content += padding * (len(content) % 2)
    return _HEADER.pack(0, element, len(content)) + content
