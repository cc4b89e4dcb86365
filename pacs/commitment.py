"""Storage commitment towards a peer: our report as the SCP that it asked, PS3.4 J.3.3."""

from __future__ import annotations

from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import build_role

from pacs.peer import Peer, association
from screening.dicom.commitment import report_data_set
from screening.domain.commitment import PUSH_MODEL, WELL_KNOWN_INSTANCE, CommitmentResult
from screening.errors import SendError


def send_report(peer: Peer, result: CommitmentResult) -> None:
    """Tell a peer which instances we hold, on an association of our own.

    We are the SCP of the service though we open the association, so the roles are negotiated,
    PS3.7 D.3.3.4.

    Raises
    ------
    SendError
        If it does not answer, takes no such report, or answers with anything but success.
    """
    contexts = [(PUSH_MODEL, str(ImplicitVRLittleEndian))]
    role = build_role(PUSH_MODEL, scp_role=True)
    with association(peer, contexts, roles=[role]) as assoc:
        if not assoc.accepted_contexts:
            raise SendError(f"{peer} takes no reports of storage commitment on this port")
        status, _ = assoc.send_n_event_report(
            report_data_set(result),
            int(result.event_type),
            PUSH_MODEL,
            WELL_KNOWN_INSTANCE,
        )
        answer = status.get("Status")
        if answer != 0x0000:
            said = "did not answer" if answer is None else f"answered 0x{answer:04X} to"
            raise SendError(f"{peer} {said} our report of storage commitment: look at its log")
