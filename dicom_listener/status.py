"""The statuses with which a C-STORE is answered: PS3.7 Annex C and PS3.4 Table B.2-1."""

from __future__ import annotations

from enum import IntEnum

from pydicom.dataset import Dataset

# Error Comment (0000,0902) has the value representation LO: 64 characters, PS3.7 Annex E.
_COMMENT_LENGTH = 64


class Status(IntEnum):
    """Every status that we answer, and when.

    Attributes
    ----------
    SUCCESS
        The bytes and their row are durable, or were already.
    PROCESSING_FAILURE
        An error of our own that no other status names; it is in the log. PS3.7 C.5.15.
    OUT_OF_RESOURCES
        The disk is full or refuses, or the database does not answer. The sender repeats it later.
    DATA_SET_MISMATCH
        The data set is of another SOP Class or Instance than the command says.
    CANNOT_UNDERSTAND
        The data set cannot be read as far as its UIDs.
    """

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


def response(status: Status, comment: str = "") -> Dataset:
    """Return the response elements for pynetdicom, a failure with its Error Comment."""
    ds = Dataset()
    ds.Status = int(status)
    if status is not Status.SUCCESS and comment:
        ds.ErrorComment = comment.encode("ascii", "replace").decode()[:_COMMENT_LENGTH]
    return ds
