"""The data sets of storage commitment, PS3.4 Tables J.3-1 and J.3-2."""

from __future__ import annotations

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from screening.domain.commitment import CommitmentResult, Reference
from screening.errors import HeaderError


def read_request(content: bytes, transfer_syntax_uid: str) -> tuple[str, tuple[Reference, ...]]:
    """Return the transaction UID and the instances of a request's Action Information.

    Raises
    ------
    HeaderError
        If it cannot be read, or lacks what it must have.
    """
    syntax = UID(transfer_syntax_uid)
    try:
        ds = read_dataset(BytesIO(content), syntax.is_implicit_VR, syntax.is_little_endian)
        transaction = str(ds.TransactionUID)
        references = tuple(
            Reference(str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
            for item in ds.ReferencedSOPSequence
        )
    except Exception as error:  # pydicom raises whatever the bytes make it meet
        raise HeaderError(
            "the request lacks a Transaction UID or Referenced SOP Sequence that can be read "
            f"({type(error).__name__})"
        ) from None
    if not transaction or not references:
        raise HeaderError("the request has an empty Transaction UID or Referenced SOP Sequence")
    return transaction, references


def report_data_set(result: CommitmentResult) -> Dataset:
    """Return the Event Information of a report."""
    ds = Dataset()
    ds.TransactionUID = result.transaction_uid
    if result.held:
        ds.ReferencedSOPSequence = Sequence(_item(reference) for reference in result.held)
    if result.failed:
        ds.FailedSOPSequence = Sequence(
            _item(reference, reason) for reference, reason in result.failed
        )
    return ds


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if reason is not None:
        item.FailureReason = int(reason)
    return item


def write_report(result: CommitmentResult, transfer_syntax_uid: str) -> bytes:
    """Return the Event Information of a report as bytes."""
    syntax = UID(transfer_syntax_uid)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    write_dataset(buffer, report_data_set(result))
    return buffer.getvalue()
