"""What a peer would take, asked without sending anything."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs.peer import Peer, association


def offer(peer: Peer, contexts: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return those of some presentation contexts that a peer accepts, PS3.8 7.1.1.13.

    Parameters
    ----------
    peer
        Whom to ask.
    contexts
        Pairs of SOP Class UID and transfer syntax UID.

    Raises
    ------
    AssociationError
        If there is no association.
    """
    # With it an association that takes nothing else has a context still, and is released.
    proposed = [(str(Verification), str(ImplicitVRLittleEndian)), *contexts]
    with association(peer, proposed) as assoc:
        accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in assoc.accepted_contexts
        }
    return frozenset(accepted.intersection(contexts))
