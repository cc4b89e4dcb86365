"""The statuses that we answer: PS3.7 Annex C and PS3.4 Table B.2-1."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Every status that we answer, and when.

    Attributes
    ----------
    SUCCESS
        The bytes and their row are durable, or were already.
    PROCESSING_FAILURE
        An error of our own that no other status names; it is in the log. PS3.7 C.5.15.
    SOP_CLASS_NOT_SUPPORTED
        The command is of another SOP Class than its presentation context. PS3.7 C.5.23.
    NO_SUCH_INSTANCE, NO_SUCH_ACTION, INVALID_ARGUMENT, RESOURCE_LIMITATION
        To a request for storage commitment: of another instance than the well-known one, of another
        action than 1, without what it must name, or while the database does not answer. PS3.7
        10.1.4.1.10.
    NOT_AUTHORIZED
        The caller may echo and not store. PS3.7 C.5.13.
    UNRECOGNIZED_OPERATION
        The command is of no service that we have. PS3.7 C.5.25.
    OUT_OF_RESOURCES
        The disk is full or refuses, or the database does not answer. The sender repeats it later.
    DATA_SET_MISMATCH
        The data set is of another SOP Class or Instance than the command says.
    CANNOT_UNDERSTAND
        The data set cannot be read as far as its UIDs.
    """

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    INVALID_ARGUMENT = 0x0115
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORIZED = 0x0124
    UNRECOGNIZED_OPERATION = 0x0211
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
