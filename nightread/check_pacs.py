"""The doctor looks at a PACS from our side: may we call, and does it take and keep our images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from nightread.finding import Finding, fail, ok, warn
from pacs.commitment_request import CONTEXT, request_commitment
from pacs.echo import echo
from pacs.offer import offer
from pacs.peer import Peer, Trouble
from pacs.send import send
from pacs.survey import Part10File
from phantoms.probe import PATIENT_ID, probe
from phantoms.study import save
from screening.domain.commitment import Reference
from screening.errors import AssociationError, SendError

_IMAGES = {
    "DX images": DigitalXRayImageStorageForPresentation,
    "CR images": ComputedRadiographyImageStorage,
}
_SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)

_ECHO, _STORE, _COMMITMENT = "C-ECHO", "C-STORE", "storage commitment"


def check_pacs(peer: Peer, *, store: bool, wait_seconds: float = 10.0) -> Iterator[Finding]:
    """Yield what a PACS answers us.

    Parameters
    ----------
    peer
        The PACS, and as whom we call.
    store
        Whether to send it the test image, which stays there, and to ask whether it keeps it.
    wait_seconds
        How long to wait for its report on that.
    """
    try:
        yield _check_echo(peer)
        contexts = [(str(image), str(syntax)) for image in _IMAGES.values() for syntax in _SYNTAXES]
        taken = offer(peer, [*contexts, CONTEXT])
        yield from (_check_images(peer, name, image, taken) for name, image in _IMAGES.items())
        commits = CONTEXT in taken
        if not commits or not store:
            yield _check_commitment(peer, commits)
        if store:
            yield from _check_store(peer, commits, wait_seconds)
    except AssociationError as error:
        yield fail("association", _explain(peer, error))


def _explain(peer: Peer, error: AssociationError) -> str:
    calling, called = peer.calling_ae_title, peer.called_ae_title
    known = (
        f"enter {calling} with this machine's address among the PACS's DICOM nodes, or set "
        "NIGHTREAD_AE_TITLE to a title that it knows"
    )
    words = {
        Trouble.NOBODY: (
            f"nobody answers on {peer.host} port {peer.port}: does the PACS run, is this its DICOM "
            "port, and does a firewall let this machine through?"
        ),
        Trouble.NO_DICOM: (
            f"{peer.host} port {peer.port} took the connection and no association: is it the "
            "PACS's DICOM port, and does it ask for TLS, which Nightread does not speak here?"
        ),
        Trouble.NOTHING_TAKEN: (
            f"{peer} admits {calling} and takes nothing that was proposed: allow it C-ECHO and "
            "C-STORE there"
        ),
        Trouble.NO_REASON: f"{peer} rejected it and gave no reason, most often a title: {known}",
        Trouble.CALLED_UNKNOWN: (
            f"rejected: the PACS on {peer.host} port {peer.port} is not called {called}: give the "
            "AE title that stands in its own configuration"
        ),
        Trouble.CALLING_UNKNOWN: f"rejected: {peer} does not know {calling}: {known}",
        Trouble.BUSY: f"rejected for now: {peer} has too many associations open: try again later",
    }
    return words.get(Trouble(error.trouble), str(error))


def _check_echo(peer: Peer) -> Finding:
    try:
        echo(peer)
    except AssociationError:
        raise
    except SendError as error:
        return fail(_ECHO, str(error))
    return ok(_ECHO, f"{peer} answers {peer.calling_ae_title}")


def _check_images(
    peer: Peer, name: str, sop_class: UID, taken: frozenset[tuple[str, str]]
) -> Finding:
    syntaxes = [syntax.name for syntax in _SYNTAXES if (str(sop_class), str(syntax)) in taken]
    if not syntaxes:
        return fail(
            name,
            f"{peer.called_ae_title} does not take {sop_class.name}: allow {peer.calling_ae_title} "
            "to store it there",
        )
    return ok(name, f"would be taken: {', '.join(syntaxes)}")


def _check_commitment(peer: Peer, commits: bool) -> Finding:
    if commits:
        return ok(_COMMITMENT, "is offered")
    return warn(
        _COMMITMENT,
        f"{peer.called_ae_title} does not offer it to {peer.calling_ae_title}: it cannot be asked "
        "whether it keeps what it took",
    )


def _check_store(peer: Peer, commits: bool, wait_seconds: float) -> Iterator[Finding]:
    """Send the test image, and ask whether it is kept."""
    with tempfile.TemporaryDirectory() as folder:
        ds = probe()
        path = Path(folder) / "probe.dcm"
        save(ds, path)
        syntax = str(ds.file_meta.TransferSyntaxUID)
        file = Part10File(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID), syntax)
        (sent,) = send([file], peer)
    if not sent.accepted:
        yield fail(_STORE, f"the test image was not taken: {sent.explanation}")
        return
    said = f" ({sent.explanation})" if sent.explanation else ""
    yield ok(_STORE, f"took the test image{said}: it stays there, under patient ID {PATIENT_ID}")
    if commits:
        yield _ask(peer, [Reference(file.sop_class_uid, file.sop_instance_uid)], wait_seconds)


def _ask(peer: Peer, references: Sequence[Reference], wait_seconds: float) -> Finding:
    try:
        found = request_commitment(peer, references, wait_seconds)
    except AssociationError:
        raise
    except SendError as error:
        return fail(_COMMITMENT, str(error))
    if found is None:
        return warn(
            _COMMITMENT,
            f"{peer.called_ae_title} took the request, and no report came on its association "
            f"within {wait_seconds:g} s: it may send it on one of its own, which is not looked "
            "for here",
        )
    if found.failed or not found.held:
        reasons = ", ".join(f"0x{reason:04X}" for reason in found.failed.values()) or "none given"
        return fail(
            _COMMITMENT,
            f"{peer.called_ae_title} took the image and does not commit to it (failure reason "
            f"{reasons}): look at its log",
        )
    return ok(_COMMITMENT, f"{peer.called_ae_title} commits to keeping the test image")
