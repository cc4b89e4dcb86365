"""C-MOVE and C-GET as SCU: images come from a PACS, PS3.4 C.4.2 and C.4.3."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import build_role, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs.limits import Limits
from pacs.peer import Peer, association
from screening.errors import NightreadError, RetrieveError

MOVE_CONTEXT = (str(StudyRootQueryRetrieveInformationModelMove), str(ImplicitVRLittleEndian))
GET_CONTEXT = (str(StudyRootQueryRetrieveInformationModelGet), str(ImplicitVRLittleEndian))

STORED = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)
"""What a C-GET can bring: the kinds in which radiographs are kept."""

SYNTAXES = (
    *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian),
    *(JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1),
    *(JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, RLELossless),
)
"""In which it can: each is proposed, so that nothing need be transcoded."""

_SUCCESS, _WARNING = 0x0000, 0xB000
_LONGEST = 3600.0
_PENDING = 0xFF00
_OUT_OF_RESOURCES = 0xA700


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How a PACS ended a retrieval.

    Attributes
    ----------
    completed, failed
        Sub-operations, as it counted them, PS3.7 C.1.4; zero where it did not.
    explanation
        What went wrong, in words; empty where nothing did.
    """

    completed: int
    failed: int
    explanation: str


def move(
    peer: Peer,
    study: str,
    series: str,
    to_ae_title: str,
    cut: threading.Event | None = None,
) -> Retrieval:
    """Have a series sent to an AE title, which the PACS must know.

    Parameters
    ----------
    peer
        Whom to ask.
    study, series
        Study and Series Instance UID.
    to_ae_title
        Whom the PACS is to send it to.
    cut
        Ends it at once when set.

    Raises
    ------
    AssociationError
        If there is no association.
    RetrieveError
        If the PACS does not answer to the end.
    """
    with association(peer, [MOVE_CONTEXT], cut=cut) as assoc:
        answers = assoc.send_c_move(
            _identifier(study, series), to_ae_title, StudyRootQueryRetrieveInformationModelMove
        )
        return _ended(peer, answers, f"enter {to_ae_title} among its DICOM nodes")


def get(
    peer: Peer,
    study: str,
    series: str,
    folder: Path,
    limits: Limits,
    cut: threading.Event | None = None,
) -> Retrieval:
    """Fetch a series over the same association into files of a folder, named by number.

    What came before an error stays there. ``cut`` ends it at once when set.

    Raises
    ------
    OutOfSpaceError
        If there is no room for more.
    AssociationError
        If there is no association.
    RetrieveError
        If the PACS does not answer to the end.
    """
    count = 0
    refused: list[NightreadError] = []

    def keep(event: Event) -> int:
        nonlocal count
        try:
            limits.require(count)
            (folder / f"{count}.dcm").write_bytes(event.encoded_dataset())
        except NightreadError as error:
            # Whoever goes on sending for all that is not waited for.
            refused.append(error)
            event.assoc.abort()
            # Our own abort, unlike the peer's, does not wake who waits for the next answer.
            event.assoc.dimse.msg_queue.put((None, None))
            return _OUT_OF_RESOURCES
        except OSError:
            return _OUT_OF_RESOURCES
        count += 1
        return _SUCCESS

    contexts = [(str(kind), str(syntax)) for kind in STORED for syntax in SYNTAXES]
    roles = [build_role(kind, scp_role=True) for kind in STORED]
    handlers = [(evt.EVT_C_STORE, keep)]
    with association(peer, [GET_CONTEXT, *contexts], roles, handlers, cut) as assoc:
        answers = assoc.send_c_get(
            _identifier(study, series), StudyRootQueryRetrieveInformationModelGet
        )
        try:
            return _ended(peer, answers, "does it take C-GET?")
        except RetrieveError:
            if refused:
                raise refused[0] from None
            raise


def _identifier(study: str, series: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study, series
    return identifier


def _ended(peer: Peer, answers: Iterator[tuple[Dataset, Dataset | None]], hint: str) -> Retrieval:
    deadline = time.monotonic() + _LONGEST
    try:
        for status, _ in answers:
            code = status.get("Status")
            if code == _PENDING:
                if time.monotonic() > deadline:
                    raise RetrieveError(f"{peer} does not come to the end of a series in an hour")
                continue
            if code is None:
                break
            completed = int(status.get("NumberOfCompletedSuboperations", 0) or 0)
            failed = int(status.get("NumberOfFailedSuboperations", 0) or 0)
            if code == _SUCCESS and not failed:
                return Retrieval(completed, failed, "")
            why = f"{peer} answered 0x{code:04X} to a retrieval, {failed} images failed: {hint}"
            return Retrieval(completed, failed, why)
    except (RuntimeError, ValueError):  # it has ended the association, or offers no such service
        pass
    raise RetrieveError(f"{peer} did not answer a retrieval to its end: look at its log")
