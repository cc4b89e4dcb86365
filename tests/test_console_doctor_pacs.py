"""The doctor at a PACS: DCMTK, Orthanc, our own door, and peers that misbehave on purpose."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import free_port, wait_until
from console import nightread
from installation import Installation
from orthanc_server import Orthanc
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.events import Event
from receiver import dropped_sockets, receiver

from nightread.check_pacs import check_pacs
from nightread.finding import Finding, Level
from pacs.peer import Peer
from phantoms.probe import PATIENT_ID, probe
from screening.errors import SendError
from screening.settings import Settings

DX = "1.2.840.10008.5.1.4.1.1.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
PUSH_MODEL = "1.2.840.10008.1.20.1"
SYNTAXES = [str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)]
TAKES_ALL = {DX: SYNTAXES, CR: SYNTAXES}


def found(peer: Peer, *, store: bool = False) -> dict[str, Finding]:
    """Return what the doctor finds, by its subject."""
    findings = list(check_pacs(peer, store=store, wait_seconds=1))
    named = {finding.subject: finding for finding in findings}
    assert len(named) == len(findings), "one line each"
    return named


def levels(findings: dict[str, Finding]) -> dict[str, Level]:
    return {subject: finding.level for subject, finding in findings.items()}


@pytest.fixture
def storescp(dcmtk: Path, tmp_path: Path) -> Iterator[tuple[Peer, Path]]:
    port, kept = free_port(), tmp_path / "kept"
    kept.mkdir()
    command = [dcmtk / "storescp", "-od", kept, "-aet", "ARCHIVE", str(port)]
    peer = Peer("127.0.0.1", port, "ARCHIVE", "NIGHTREAD")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: answers(peer), 20, "storescp answers")
        yield peer, kept
        process.terminate()


def answers(peer: Peer) -> bool:
    from pacs.echo import echo

    try:
        with dropped_sockets():
            echo(peer)
    except SendError:
        return False
    return True


def test_dcmtk_takes_images_and_is_sent_none(storescp: tuple[Peer, Path]) -> None:
    peer, kept = storescp
    assert levels(found(peer)) == {
        "C-ECHO": Level.OK,
        "DX images": Level.OK,
        "CR images": Level.OK,
        "storage commitment": Level.WARN,
    }
    assert list(kept.iterdir()) == []


def test_dcmtk_is_sent_one_image_however_often(storescp: tuple[Peer, Path]) -> None:
    peer, kept = storescp
    for _ in range(2):
        findings = found(peer, store=True)
        assert findings["C-STORE"].level is Level.OK
        assert "stays there" in findings["C-STORE"].detail
    (path,) = kept.iterdir()
    ds = dcmread(path)
    assert ds.PatientID == PATIENT_ID
    assert "not a patient" in ds.StudyDescription
    assert ds.SOPInstanceUID == probe().SOPInstanceUID


def test_the_test_image_is_the_same_each_time() -> None:
    assert probe() == probe()


def test_orthanc_reports_commitment_elsewhere_which_is_a_warning(orthanc: Orthanc) -> None:
    peer = Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC", "NIGHTREAD")
    findings = found(peer, store=True)
    assert levels(findings) == {
        "C-ECHO": Level.OK,
        "DX images": Level.OK,
        "CR images": Level.OK,
        "C-STORE": Level.OK,
        "storage commitment": Level.WARN,
    }
    assert "one of its own" in findings["storage commitment"].detail
    assert len(orthanc.call("/instances")) == 1


def test_orthanc_that_does_not_know_us_names_what_to_enter(orthanc: Orthanc) -> None:
    peer = Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC", "STRANGER")
    findings = found(peer, store=True)
    assert findings["C-STORE"].level is Level.OK
    assert findings["storage commitment"].level is Level.FAIL
    assert "enter STRANGER among its DICOM nodes" in findings["storage commitment"].detail


def test_orthanc_by_another_name_is_explained(orthanc: Orthanc) -> None:
    findings = found(Peer("127.0.0.1", orthanc.dicom_port, "WRONG", "NIGHTREAD"))
    assert list(findings) == ["association"]
    assert "is not called WRONG" in findings["association"].detail


def test_our_own_door_commits_on_the_same_association(settings: Settings, tmp_path: Path) -> None:
    installation = Installation(settings)
    try:
        installation.start("listen")
        wait_until(installation.listens, 30, "the door answers")
        where = ("127.0.0.1", settings.dicom_port, "NIGHTREAD")
        ran = nightread("doctor", "--pacs", *where, "--store", "--json", cwd=tmp_path)
    finally:
        installation.stop()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    findings = {item["subject"]: item for item in json.loads(ran.stdout)}
    assert {item["level"] for item in findings.values()} == {"ok"}
    assert "commits to keeping" in findings["storage commitment"]["detail"]


def test_a_peer_that_commits_not_fails() -> None:
    def refuse(event: Event) -> tuple[int, None]:
        information = event.action_information

        def report() -> None:
            ds = Dataset()
            ds.TransactionUID = information.TransactionUID
            ds.FailedSOPSequence = information.ReferencedSOPSequence
            ds.FailedSOPSequence[0].FailureReason = 0x0213
            event.assoc.send_n_event_report(ds, 2, PUSH_MODEL, "1.2.840.10008.1.20.1.1")

        threading.Timer(0.2, report).start()
        return 0x0000, None

    with receiver(TAKES_ALL | {PUSH_MODEL: SYNTAXES}, action=refuse) as archive:
        findings = found(archive.peer(), store=True)
    assert findings["storage commitment"].level is Level.FAIL
    assert "0x0213" in findings["storage commitment"].detail


def test_a_peer_that_takes_no_cr_fails() -> None:
    with receiver({DX: SYNTAXES[:1]}) as archive:
        findings = found(archive.peer())
    assert findings["DX images"].detail == "would be taken: Explicit VR Little Endian"
    assert findings["CR images"].level is Level.FAIL
    assert "allow TESTER to store it" in findings["CR images"].detail


def test_a_peer_that_refuses_the_image_fails() -> None:
    with receiver(TAKES_ALL | {PUSH_MODEL: SYNTAXES}, lambda event: 0xA700) as archive:
        findings = found(archive.peer(), store=True)
    assert findings["C-STORE"].level is Level.FAIL
    assert "0xA700 refused, out of resources" in findings["C-STORE"].detail
    assert "storage commitment" not in findings, "there is nothing to ask about"


def test_rejections_are_put_into_words(settings: Settings) -> None:
    with receiver(TAKES_ALL, require_calling_aet=["SOMEBODY"]) as archive:
        (finding,) = found(archive.peer(calling="NIGHTREAD")).values()
    assert finding.level is Level.FAIL
    assert "does not know NIGHTREAD: enter NIGHTREAD with this machine's address" in finding.detail
    with dropped_sockets():
        (finding,) = found(Peer("127.0.0.1", free_port(), "ARCHIVE", "NIGHTREAD")).values()
    assert "nobody answers" in finding.detail
    assert "firewall" in finding.detail


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--store"], 2, "name it with --pacs"),
        (["--pacs", "127.0.0.1", "0", "ARCHIVE"], 1, "0 is no port"),
        (["--pacs", "127.0.0.1", "104", "X" * 17], 1, "is no AE title"),
        (["--pacs", "127.0.0.1", "104"], 2, "--pacs"),
    ],
)
def test_a_pacs_that_cannot_be_is_refused(
    tmp_path: Path, options: list[str], code: int, says: str
) -> None:
    ran = nightread("doctor", *options, cwd=tmp_path)
    assert ran.returncode == code
    assert says in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr


def test_the_exit_code_and_the_lines_say_what_fails(tmp_path: Path) -> None:
    ran = nightread("doctor", "--pacs", "127.0.0.1", free_port(), "ARCHIVE", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout.startswith("FAIL association ")
    assert ran.stdout.count("\n") == 1
