"""C-STORE as SCU: files go out as they are, in their own transfer syntax and never transcoded."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import _config
from pynetdicom.association import Association

from pacs.peer import MAXIMUM_CONTEXTS, Peer, association
from pacs.survey import Part10File

_SUCCESS = 0x0000
_BROKEN = "the association broke before an answer came"
_MOST_BROKEN = 2


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file.

    Attributes
    ----------
    status
        Of the C-STORE response; ``None`` where it never came to one.
    accepted
        Whether the peer has it now: success or a warning, PS3.4 Table B.2-1.
    explanation
        The status or what prevented it, in words; empty for plain success.
    is_taken
        Whether the peer takes its kind at all: it accepted the presentation context.
    """

    path: Path
    sop_instance_uid: str
    status: int | None
    accepted: bool
    explanation: str
    is_taken: bool = True


def send(
    files: Iterable[Part10File], peer: Peer, cut: threading.Event | None = None
) -> Iterator[Sent]:
    """Send files one after the other, and say of each what became of it.

    Every combination of SOP Class and transfer syntax is proposed as it is; there are as many
    associations as it takes. Where one breaks, the file at hand counts as not sent and the rest
    goes by a new one, unless two broke in turn: then the rest counts as not sent.

    Parameters
    ----------
    cut
        Ends it at once when set.

    Raises
    ------
    SendError
        If an association cannot be had. What was yielded before stays sent.
    """
    for batch in batches(files):
        yield from _send_batch(batch, peer, cut)


def batches(files: Iterable[Part10File]) -> Iterator[list[Part10File]]:
    """Cut a sequence of files so that each piece needs at most `MAXIMUM_CONTEXTS` contexts."""
    batch: list[Part10File] = []
    contexts: set[tuple[str, str]] = set()
    for file in files:
        context = (file.sop_class_uid, file.transfer_syntax_uid)
        if context not in contexts and len(contexts) == MAXIMUM_CONTEXTS:
            yield batch
            batch, contexts = [], set()
        batch.append(file)
        contexts.add(context)
    if batch:
        yield batch


def _send_batch(
    files: Sequence[Part10File], peer: Peer, cut: threading.Event | None
) -> Iterator[Sent]:
    """Send files that fit into one association, by as many as break and one more."""
    # pynetdicom then reads a file piece by piece and leaves its bytes as they are.
    _config.STORE_SEND_CHUNKED_DATASET = True
    waiting = list(files)
    broken = 0
    while waiting and broken < _MOST_BROKEN and not (cut and cut.is_set()):
        contexts = {(file.sop_class_uid, file.transfer_syntax_uid): None for file in waiting}
        answered = 0
        with association(peer, contexts, cut=cut) as assoc:
            while waiting and assoc.is_established:
                file = waiting.pop(0)
                sent = _store(assoc, file, peer)
                if sent is None:
                    yield _unsent(file, _BROKEN)
                    # pynetdicom may take it for established still, and would wait in vain.
                    assoc.abort()
                    break
                answered += 1
                yield sent
        broken = 0 if answered else broken + 1
    for file in waiting:
        yield _unsent(file, _BROKEN)


def _store(assoc: Association, file: Part10File, peer: Peer) -> Sent | None:
    """Send one file, or return ``None`` if the association broke over it."""
    if not _is_accepted(assoc, file):
        return _unsent(
            file,
            f"{peer.called_ae_title} takes no {UID(file.sop_class_uid).name} in "
            f"{UID(file.transfer_syntax_uid).name}",
            is_taken=False,
        )
    try:
        response = assoc.send_c_store(file.path)
    except OSError as error:
        return _unsent(file, f"could not be sent: {error.strerror or 'it cannot be read'}")
    except Exception as error:
        # pydicom raises nearly anything on a file that has changed since it was looked at.
        return _unsent(file, f"could not be sent ({type(error).__name__}): has it changed?")
    status = response.get("Status")
    if status is None:
        return None
    return Sent(
        path=file.path,
        sop_instance_uid=file.sop_instance_uid,
        status=status,
        accepted=status == _SUCCESS or _is_warning(status),
        explanation=_explain(status, response),
    )


def _is_accepted(assoc: Association, file: Part10File) -> bool:
    return any(
        context.abstract_syntax == file.sop_class_uid
        and context.transfer_syntax[0] == file.transfer_syntax_uid
        for context in assoc.accepted_contexts
    )


def _unsent(file: Part10File, why: str, *, is_taken: bool = True) -> Sent:
    return Sent(file.path, file.sop_instance_uid, None, False, why, is_taken)


def _is_warning(status: int) -> bool:
    # PS3.7 C.1.3; 0x0107 and 0x0116 are the warnings of PS3.7 C.4.
    return status >> 12 == 0xB or status in {0x0001, 0x0107, 0x0116}


_MEANINGS = (
    # Mask and value of PS3.4 Table B.2-1 and PS3.7 Annex C, and what it says.
    (0xFFFF, 0xB000, "stored with changes"),
    (0xFFFF, 0xB006, "stored without some elements"),
    (0xFFFF, 0xB007, "stored although it does not match its SOP Class"),
    (0xFF00, 0xA700, "refused, out of resources: make room there and send it again"),
    (0xFF00, 0xA900, "refused, the data set does not match its SOP Class"),
    (0xF000, 0xC000, "refused, the data set cannot be understood"),
    (0xFFFF, 0x0110, "failed there: look at the receiver's log"),
    (0xFFFF, 0x0111, "refused as a duplicate"),
    (0xFFFF, 0x0117, "refused, the SOP Instance UID is not valid"),
    (0xFFFF, 0x0122, "refused, the SOP Class is not supported"),
    (0xFFFF, 0x0124, "refused, not authorised"),
)


def _explain(status: int, response: Dataset) -> str:
    if status == _SUCCESS:
        return ""
    meanings = (text for mask, value, text in _MEANINGS if status & mask == value)
    meaning = next(meanings, "a status of its own")
    comment = str(response.get("ErrorComment", "") or "")
    return f"0x{status:04X} {meaning}" + (f" ({comment})" if comment else "")
