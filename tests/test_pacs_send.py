from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import free_port, wait_until
from part10_files import SOP_CLASS, part10_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
)
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from receiver import dropped_sockets, receiver

from pacs.echo import echo
from pacs.peer import MAXIMUM_CONTEXTS, Peer, association
from pacs.send import Sent, batches, send
from pacs.survey import Part10File, survey
from screening.dicom.part10 import data_set_offset
from screening.errors import SendError

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
]


def surveyed(*paths: Path) -> list[Part10File]:
    found = [item for item in survey(paths) if isinstance(item, Part10File)]
    assert len(found) == len(paths)
    return found


def data_set(path: Path) -> bytes:
    return path.read_bytes()[data_set_offset(path) :]


def store_one(tmp_path: Path, answer: int | Dataset) -> Sent:
    """Send one file to a receiver that answers so."""
    file = surveyed(part10_file(tmp_path / "image.dcm"))
    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}, lambda event: answer) as archive:
        (sent,) = send(file, archive.peer())
    return sent


def test_bytes_go_as_they_are_in_every_transfer_syntax(tmp_path: Path) -> None:
    paths = [
        part10_file(tmp_path / f"{number}.dcm", transfer_syntax_uid=syntax)
        for number, syntax in enumerate(SYNTAXES)
    ]
    with receiver({SOP_CLASS: [str(syntax) for syntax in SYNTAXES]}) as archive:
        sent = list(send(surveyed(*paths), archive.peer()))
    assert [item.status for item in sent] == [0x0000] * len(SYNTAXES)
    assert [syntax for _, syntax, _ in archive.came] == [str(syntax) for syntax in SYNTAXES]
    assert [content for _, _, content in archive.came] == [data_set(path) for path in paths]
    assert archive.associations == 1


def test_dcmtk_receives_the_same_bytes(dcmtk: Path, tmp_path: Path) -> None:
    paths = [part10_file(tmp_path / "sent" / f"{number}.dcm") for number in range(3)]
    port, kept = free_port(), tmp_path / "kept"
    kept.mkdir()
    command: list[str | Path] = [
        dcmtk / "storescp",
        "+B",
        "+xa",
        "-od",
        kept,
        "-aet",
        "ARCHIVE",
        str(port),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as storescp:
        wait_until(lambda: listens(port), 20, "storescp listens")
        sent = list(send(surveyed(*paths), Peer("127.0.0.1", port, "ARCHIVE", "TESTER")))
        storescp.terminate()
    assert all(item.accepted for item in sent)
    came = sorted(data_set(path) for path in kept.iterdir())
    assert came == sorted(data_set(path) for path in paths)


def test_more_kinds_than_one_association_can_offer_take_two(tmp_path: Path) -> None:
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts][:65]
    syntaxes = [str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)]
    paths = [
        part10_file(
            tmp_path / f"{number}-{place}", sop_class_uid=sop_class, transfer_syntax_uid=syntax
        )
        for number, sop_class in enumerate(classes)
        for place, syntax in enumerate(syntaxes)
    ]
    files = surveyed(*paths)
    assert [len(batch) for batch in batches(files)] == [MAXIMUM_CONTEXTS, 2]
    with receiver(dict.fromkeys(classes, syntaxes)) as archive:
        sent = list(send(files, archive.peer()))
    assert all(item.accepted for item in sent)
    assert archive.associations == 2
    assert [uid for uid, _, _ in archive.came] == [file.sop_instance_uid for file in files]


def test_files_of_one_kind_share_one_association_however_many() -> None:
    files = [Part10File(Path(f"{n}"), SOP_CLASS, f"1.{n}", "1.2.840.10008.1.2") for n in range(999)]
    assert [len(batch) for batch in batches(files)] == [999]


def test_what_the_peer_does_not_take_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    files = surveyed(
        part10_file(tmp_path / "0", transfer_syntax_uid=JPEG2000Lossless),
        part10_file(tmp_path / "1"),
    )
    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}) as archive:
        refused, stored = send(files, archive.peer())
    assert not refused.accepted
    assert refused.status is None
    assert "JPEG 2000" in refused.explanation
    assert stored.accepted
    assert len(archive.came) == 1


@pytest.mark.parametrize(
    ("status", "accepted", "says"),
    [
        (0x0000, True, ""),
        (0xB000, True, "with changes"),
        (0xB007, True, "does not match"),
        (0xA700, False, "out of resources"),
        (0xA900, False, "does not match"),
        (0xC123, False, "cannot be understood"),
        (0x0110, False, "failed there"),
        (0x0122, False, "not supported"),
    ],
)
def test_every_status_is_put_into_words(
    tmp_path: Path, status: int, accepted: bool, says: str
) -> None:
    sent = store_one(tmp_path, status)
    assert (sent.status, sent.accepted) == (status, accepted)
    assert says in sent.explanation


def test_the_peers_own_comment_is_passed_on(tmp_path: Path) -> None:
    answer = Dataset()
    answer.Status = 0xA700
    answer.ErrorComment = "disk full"
    assert "disk full" in store_one(tmp_path, answer).explanation


def test_a_broken_association_costs_one_file_and_the_rest_goes_by_a_new_one(tmp_path: Path) -> None:
    files = surveyed(*(part10_file(tmp_path / f"{number}") for number in range(3)))
    broken = threading.Event()

    def answer(event: Event) -> int:
        if len(archive.came) == 2 and not broken.is_set():
            broken.set()
            event.assoc.abort()
        return 0x0000

    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}, answer) as archive:
        sent = list(send(files, archive.peer()))
    assert [item.accepted for item in sent] == [True, False, True]
    assert "broke" in sent[1].explanation
    assert archive.associations == 2


class NeverPauses(threading.Event):
    """What pynetdicom's own thread waits at: as in the moment in which it passes nonetheless."""

    def clear(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> bool:
        time.sleep(0.005)
        return True


def test_an_answer_that_comes_at_once_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = DIMSEServiceProvider.get_msg

    def late(provider: DIMSEServiceProvider, block: bool = False) -> object:
        if block:
            time.sleep(0.02)
        return take(provider, block)

    monkeypatch.setattr(DIMSEServiceProvider, "get_msg", late)
    monkeypatch.setattr("pacs.peer._DIMSE_SECONDS", 2)
    echoes = [(Verification, ImplicitVRLittleEndian)]
    with receiver({}) as archive, association(archive.peer(), echoes) as assoc:
        assoc._reactor_checkpoint = NeverPauses()
        assoc._reactor_checkpoint.set()
        assert [assoc.send_c_echo().get("Status") for _ in range(20)] == [0] * 20


def test_a_file_that_vanished_does_not_stop_the_others(tmp_path: Path) -> None:
    files = surveyed(part10_file(tmp_path / "0"), part10_file(tmp_path / "1"))
    files[0].path.unlink()
    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}) as archive:
        gone, stored = send(files, archive.peer())
    assert not gone.accepted
    assert "could not be sent" in gone.explanation
    assert stored.accepted


def test_where_nobody_listens_the_error_says_what_to_start(tmp_path: Path) -> None:
    file = surveyed(part10_file(tmp_path / "image.dcm"))
    with dropped_sockets(), pytest.raises(SendError, match=r"nobody answers .* is it running"):
        list(send(file, Peer("127.0.0.1", free_port(), "ARCHIVE", "TESTER")))


def test_a_wrong_called_title_is_explained(tmp_path: Path) -> None:
    file = surveyed(part10_file(tmp_path / "image.dcm"))
    with (
        receiver({SOP_CLASS: [ExplicitVRLittleEndian]}, require_called_aet=True) as archive,
        pytest.raises(SendError, match="is not called WRONG"),
    ):
        list(send(file, archive.peer(called="WRONG")))


def test_an_unknown_calling_title_is_explained() -> None:
    with (
        receiver({}, require_calling_aet=["SOMEBODY"]) as archive,
        pytest.raises(SendError, match="NIGHTREAD_CALLING_AE_TITLES"),
    ):
        echo(archive.peer())


def test_an_echo_is_answered() -> None:
    with receiver({}) as archive:
        echo(archive.peer())


def test_a_port_that_does_not_speak_dicom_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(SendError, match="is it a DICOM port"):
            echo(Peer("127.0.0.1", port, "ARCHIVE", "TESTER"))
        thread.join()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
