"""Storage commitment as SCU: a peer is asked whether it keeps what it took, PS3.4 J.3.2."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from pynetdicom import evt
from pynetdicom.events import Event

from pacs.peer import Peer, association
from screening.domain.commitment import PUSH_MODEL, WELL_KNOWN_INSTANCE, Reference
from screening.errors import SendError

CONTEXT = (PUSH_MODEL, str(ImplicitVRLittleEndian))
"""The presentation context of the service."""

_REQUEST = 1  # Action Type ID, PS3.4 Table J.3-1
_SUCCESS = 0x0000


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a peer reported of one request.

    Attributes
    ----------
    held
        SOP Instance UIDs that it keeps.
    failed
        Those that it does not keep, each with its Failure Reason, PS3.3 C.14.1.1.
    """

    held: frozenset[str]
    failed: dict[str, int]


@dataclass(slots=True)
class _Report:
    """The report of one transaction, when it comes."""

    transaction_uid: str
    came: threading.Event = field(default_factory=threading.Event)
    commitment: Commitment | None = None

    def take(self, event: Event) -> tuple[int, None]:
        """Answer an N-EVENT-REPORT, and keep it if it is of this transaction."""
        ds = event.event_information
        if str(ds.get("TransactionUID", "")) == self.transaction_uid:
            self.commitment = Commitment(
                frozenset(_uid(item) for item in ds.get("ReferencedSOPSequence", ())),
                {
                    _uid(item): int(item.get("FailureReason", 0))
                    for item in ds.get("FailedSOPSequence", ())
                },
            )
            self.came.set()
        return _SUCCESS, None


def _uid(item: Dataset) -> str:
    return str(item.get("ReferencedSOPInstanceUID", ""))


def request_commitment(
    peer: Peer,
    references: Sequence[Reference],
    wait_seconds: float,
    cut: threading.Event | None = None,
) -> Commitment | None:
    """Ask a peer whether it keeps instances, and wait for its report on the same association.

    Parameters
    ----------
    peer
        Whom to ask.
    references
        The instances, which it was sent.
    wait_seconds
        How long to wait for the report.
    cut
        Ends it at once when set.

    Returns
    -------
    Commitment or None
        ``None`` if no report came in that time: a peer may report later, on an association of its
        own, PS3.4 J.3.3.

    Raises
    ------
    SendError
        If the peer does not offer the service or does not take the request.
    """
    transaction = generate_uid()
    report = _Report(transaction)
    handlers = [(evt.EVT_N_EVENT_REPORT, report.take)]
    with association(peer, [CONTEXT], handlers=handlers, cut=cut) as assoc:
        try:
            status, _ = assoc.send_n_action(
                _information(transaction, references), _REQUEST, PUSH_MODEL, WELL_KNOWN_INSTANCE
            )
        except (RuntimeError, ValueError):  # it ended just now, or the service is not offered
            raise SendError(_explain(peer, None)) from None
        answer = status.get("Status")
        if answer != _SUCCESS:
            raise SendError(_explain(peer, answer))
        report.came.wait(wait_seconds)
    return report.commitment


def _explain(peer: Peer, status: int | None) -> str:
    if status is None:
        # Orthanc does so where its DicomModalities lack the caller: it could not call back.
        return (
            f"{peer} gave no answer to a request for storage commitment: enter "
            f"{peer.calling_ae_title} among its DICOM nodes, and look at its log"
        )
    return f"{peer} answered 0x{status:04X} to a request for storage commitment: look at its log"


def _information(transaction_uid: str, references: Sequence[Reference]) -> Dataset:
    """Return the Action Information of a request, PS3.4 Table J.3-1."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = []
    for reference in references:
        item = Dataset()
        item.ReferencedSOPClassUID = reference.sop_class_uid
        item.ReferencedSOPInstanceUID = reference.sop_instance_uid
        ds.ReferencedSOPSequence.append(item)
    return ds
