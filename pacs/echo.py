"""C-ECHO: whether anybody is there, and knows us."""

from __future__ import annotations

from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs.peer import Peer, association
from screening.errors import SendError


def echo(peer: Peer) -> None:
    """Verify that a peer answers, PS3.4 Annex A.

    Raises
    ------
    SendError
        If it does not, or answers with anything but success.
    """
    with association(peer, [(Verification, ImplicitVRLittleEndian)]) as assoc:
        if not assoc.accepted_contexts:
            raise SendError(f"{peer} does not offer the Verification service (C-ECHO)")
        status = assoc.send_c_echo().get("Status")
        if status != 0x0000:
            answer = "did not answer" if status is None else f"answered 0x{status:04X} to"
            raise SendError(f"{peer} {answer} a C-ECHO: look at its log")
