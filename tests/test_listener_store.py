from __future__ import annotations

import contextlib
import datetime as dt
import re
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from conftest import wait_until
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite, write_file_meta_info
from pydicom.uid import (
    MPEG2MPML,
    UID,
    BasicTextSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from sqlalchemy import select

import migrations
from dicom_listener import listener as listener_module
from dicom_listener.address import open_ports
from dicom_listener.listener import Listener
from pacs.answers import leave_answers
from screening.archive.incoming_folder import IncomingFolder
from screening.archive.opening import open_archive
from screening.dicom.part10 import data_set_offset
from screening.errors import DependencyError
from screening.records import outbox
from screening.records.case_filter import EVERYTHING
from screening.records.cases import list_cases
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.schema import AssociationRow
from screening.records.tally import tally
from screening.settings import Settings

PRIVATE = "1.2.826.0.1.3680043.10.5.99"


class Door:
    """A listener in this process, and what a sender does to it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.records = Records(settings.records_url)
        migrations.upgrade(self.records)
        self.archive = open_archive(settings)
        self.due = threading.Event()
        self.listener = Listener(settings, self.archive, self.records, self.due)
        self.listener.start(open_ports(settings))

    def close(self) -> None:
        self.listener.stop(drain_seconds=1)
        self.records.close()

    def associate(
        self, *datasets: Dataset, calling: str = "PACS", called: str = "NIGHTREAD"
    ) -> Association:
        ae = AE(calling)
        for ds in datasets:
            ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
        if not datasets:
            ae.add_requested_context("1.2.840.10008.1.1")
        assoc = ae.associate("127.0.0.1", self.settings.dicom_port, ae_title=called)
        leave_answers(assoc)
        return assoc

    def send(self, *datasets: Dataset, calling: str = "PACS") -> list[int]:
        assoc = self.associate(*datasets, calling=calling)
        assert assoc.is_established
        statuses = [assoc.send_c_store(ds).Status for ds in datasets]
        assoc.release()
        wait_until(self.due.is_set, 5, "the association's end is recorded")
        return statuses


@contextlib.contextmanager
def a_door(settings: Settings, **choices: object) -> Iterator[Door]:
    """Open a listener with these settings, but for some, and close it at the end."""
    opened = Door(settings.model_copy(update=choices))
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    opened = Door(settings)
    yield opened
    opened.close()


def radiograph(
    uid: str = "1.2.3", *, syntax: str = ExplicitVRLittleEndian, **attributes: object
) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = uid
    ds.StudyInstanceUID = "1.2"
    ds.SeriesInstanceUID = "1.2.1"
    ds.PatientID = "P1"
    ds.PatientName = "Phantom^Hand"
    ds.Modality = "DX"
    ds.BodyPartExamined = "HAND"
    ds.Rows = ds.Columns = 8
    ds.BitsAllocated = 16
    ds.PixelData = bytes(128)
    ds["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def kept_files(door: Door) -> list[Path]:
    return [path for path in door.settings.archive_dir.rglob("*") if path.is_file()]


def test_an_echo_is_answered(door: Door) -> None:
    assoc = door.associate()
    assert assoc.send_c_echo().Status == 0x0000
    assoc.release()


def test_an_instance_is_durable_recorded_and_due_when_its_association_ends(door: Door) -> None:
    assert door.send(radiograph()) == [0x0000]
    with door.records.read() as session:
        (case,) = list_cases(session, EVERYTHING)
        assert (case.patient_id, case.images_waiting) == ("P1", 1)
        assert len(outbox.due(session, dt.datetime.now(dt.UTC))) == 1
        dossier = open_dossier(session, "1.2")
        assert dossier is not None
        (image,) = dossier.images
    assert kept_files(door) == [door.archive.path(image.digest)]
    assert image.size_bytes == door.archive.path(image.digest).stat().st_size


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
        MPEG2MPML,
    ],
    ids=lambda syntax: syntax.name,
)
def test_bytes_are_kept_exactly_as_they_came(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: UID
) -> None:
    ds = radiograph(syntax=syntax)
    if syntax.is_compressed and not syntax.is_deflated:
        ds.PixelData = encapsulate([b"whatever the sender calls pixels"])
    sent = tmp_path / "sent.dcm"
    dcmwrite(sent, ds, enforce_file_format=True)
    # The file's own bytes are sent, not an encoding of what pydicom made of them.
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    assoc = door.associate(ds)
    assert assoc.send_c_store(sent).Status == 0x0000
    assoc.release()
    (kept,) = kept_files(door)
    assert data_set_bytes(kept) == data_set_bytes(sent)
    assert kept.read_bytes()[128:132] == b"DICM"


def data_set_bytes(path: Path) -> bytes:
    return path.read_bytes()[data_set_offset(path) :]


def test_a_repeat_is_a_success_and_changes_nothing(door: Door) -> None:
    ds = radiograph()
    assert door.send(ds, ds) == [0x0000, 0x0000]
    assert door.send(ds, calling="OTHER") == [0x0000]
    with door.records.read() as session:
        assert tally(session).received == 1
        assert tally(session).conflicts == 0
    assert len(kept_files(door)) == 1


def test_a_study_is_due_after_its_quiet_time_though_its_association_stays_open(door: Door) -> None:
    ds = radiograph()
    assoc = door.associate(ds)
    assert assoc.send_c_store(ds).Status == 0x0000

    def due() -> list[int]:
        with door.records.read() as session:
            return outbox.due(session, dt.datetime.now(dt.UTC))

    assert due() == []
    wait_until(due, 10, "the study is due")
    assert assoc.is_established
    assoc.release()


def test_a_study_is_due_when_its_sender_goes_on_to_another(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a PACS does that sends its backlog over one association, all night."""
    monkeypatch.setattr(door.listener._store, "_quiet", dt.timedelta(hours=1))
    first, second = radiograph(), radiograph(SOPInstanceUID="1.9", StudyInstanceUID="9.9")
    assoc = door.associate(first)
    assert [assoc.send_c_store(ds).Status for ds in (first, second)] == [0, 0]

    def due() -> list[int]:
        with door.records.read() as session:
            return outbox.due(session, dt.datetime.now(dt.UTC))

    wait_until(lambda: len(due()) == 1, 10, "the first study is due")
    assert assoc.is_established
    assoc.release()
    wait_until(lambda: len(due()) == 2, 10, "so is the second")


@pytest.mark.parametrize(
    "sop_class",
    [CTImageStorage, EncapsulatedPDFStorage, GrayscaleSoftcopyPresentationStateStorage, PRIVATE],
    ids=["CT", "PDF", "presentation state", "private"],
)
def test_every_storage_class_is_kept(door: Door, sop_class: str) -> None:
    assert door.send(radiograph(SOPClassUID=sop_class)) == [0x0000]
    assert len(kept_files(door)) == 1


def test_other_bytes_under_the_same_uid_are_kept_apart(door: Door) -> None:
    assert door.send(radiograph(), radiograph(PatientID="P2")) == [0x0000, 0x0000]
    assert door.send(radiograph(StudyInstanceUID="9.9")) == [0x0000]
    with door.records.read() as session:
        dossier = open_dossier(session, "1.2")
        assert dossier is not None
        assert [c.study_instance_uid for c in list_cases(session, EVERYTHING)] == [
            "1.2",
            "9.9",
        ]
    assert [c.study_instance_uid for c in dossier.conflicts] == ["1.2", "9.9"]
    assert len(kept_files(door)) == 3


def test_one_study_over_several_associations_is_one_case(door: Door) -> None:
    for number in range(3):
        door.send(radiograph(f"1.2.{number}"), calling=f"PACS{number}")
    with door.records.read() as session:
        (case,) = list_cases(session, EVERYTHING)
    assert case.images_received == 3


def test_a_report_in_the_study_is_kept_too(door: Door) -> None:
    report = radiograph("1.2.8", SOPClassUID=BasicTextSRStorage)
    del report.PixelData
    assert door.send(radiograph(), report) == [0x0000, 0x0000]
    assert len(kept_files(door)) == 2


# What replaces or removes an element of an ordinary data set, as bytes on the wire.
ODD_HEADERS: dict[str, dict[int, tuple[bytes, bytes] | None]] = {
    "nothing but UIDs": {0x00100010: None, 0x00100020: None, 0x0020000E: None},
    "unknown character set": {0x00080005: (b"CS", b"ISO_IR 999")},
    "name in no character set": {0x00100010: (b"PN", b"\xff\xfe^\x1b$B\x00")},
    "NUL in the id": {0x00100020: (b"LO", b"A\x00B\x00")},
    "empty date": {0x00080020: (b"DA", b"")},
    "date of junk": {0x00080020: (b"DA", b"yesterday?")},
    "time of junk": {0x00080030: (b"TM", b"99:99:99")},
    "age of junk": {0x00101010: (b"AS", b"old ")},
    "number of junk": {0x00200013: (b"IS", b"first!")},
    "very long id": {0x00100020: (b"LO", b"9" * 20000)},
    "study UID that is a path": {0x0020000D: (b"UI", b"../../../etc/passwd\x00")},
}

ORDINARY: dict[int, tuple[bytes, bytes]] = {
    0x00080016: (b"UI", b"1.2.840.10008.5.1.4.1.1.1.1\x00"),
    0x00080018: (b"UI", b"1.2.3\x00"),
    0x00080060: (b"CS", b"DX"),
    0x00100010: (b"PN", b"Phantom^Hand"),
    0x00100020: (b"LO", b"P1"),
    0x0020000D: (b"UI", b"1.2\x00"),
    0x0020000E: (b"UI", b"1.2.1\x00"),
}


def write_explicit(path: Path, elements: dict[int, tuple[bytes, bytes]]) -> None:
    """Write a Part 10 file in explicit little endian, element by element, whatever is in them."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM")
        write_file_meta_info(file, meta, enforce_standard=True)
        for tag, (vr, value) in sorted(elements.items()):
            file.write(struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value)


@pytest.mark.parametrize("case", ODD_HEADERS)
def test_an_odd_header_neither_fails_the_store_nor_breaks_the_list(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    sent = tmp_path / "odd.dcm"
    elements = {**ORDINARY, **ODD_HEADERS[case]}
    write_explicit(sent, {tag: value for tag, value in elements.items() if value is not None})
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    assoc = door.associate(radiograph())
    assert assoc.send_c_store(sent).Status == 0x0000
    assoc.release()
    with door.records.read() as session:
        (listed,) = list_cases(session, EVERYTHING)
        assert open_dossier(session, listed.study_instance_uid) is not None
    for path in kept_files(door):
        assert re.fullmatch(r"instances/../[0-9a-f]{64}\.dcm", relative(door, path))


def relative(door: Door, path: Path) -> str:
    return str(path.relative_to(door.settings.archive_dir))


def test_a_data_set_without_a_study_is_refused_and_the_reason_recorded(door: Door) -> None:
    ds = radiograph()
    del ds.StudyInstanceUID
    assoc = door.associate(ds)
    answer = assoc.send_c_store(ds)
    assoc.release()
    assert answer.Status == 0xC000
    assert "Study" in answer.ErrorComment
    wait_until(door.due.is_set, 5, "the association's end is recorded")
    (row,) = associations(door)
    assert (row.refused, row.stored) == (1, 0)
    assert row.last_refusal.startswith("0xC000")
    assert kept_files(door) == []


def test_a_data_set_of_another_class_than_its_command_is_refused(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tmp_path / "mismatch.dcm"
    write_explicit(sent, ORDINARY | {0x00080016: (b"UI", CTImageStorage.encode())})
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    assoc = door.associate(radiograph())
    assert assoc.send_c_store(sent).Status == 0xA900
    assoc.release()
    assert kept_files(door) == []


def test_a_full_disk_refuses_and_service_resumes_without_a_restart(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(settings.model_copy(update={"minimum_free_gigabytes": 1e6}))
    try:
        assert door.send(radiograph()) == [0xA700]
        assert kept_files(door) == []
        roomy = IncomingFolder(door.archive.incoming)
        monkeypatch.setattr(door.archive, "_incoming", roomy)
        assert door.send(radiograph()) == [0x0000]
    finally:
        door.close()


def test_a_database_that_is_gone_refuses_and_nothing_half_done_counts(door: Door) -> None:
    ds = radiograph()
    assoc = door.associate(ds)
    door.records.close()
    away = door.settings.data_dir / "away"
    away.mkdir()
    for part in door.settings.data_dir.glob("nightread.sqlite*"):
        part.rename(away / part.name)
    assert assoc.send_c_store(ds).Status == 0xA700
    door.records.close()
    for part in door.settings.data_dir.glob("nightread.sqlite*"):
        part.unlink()
    for part in away.iterdir():
        part.rename(door.settings.data_dir / part.name)
    assert assoc.send_c_store(ds).Status == 0x0000
    assoc.release()
    with door.records.read() as session:
        assert tally(session).received == 1


def test_an_unknown_title_is_rejected_and_the_record_says_what_would_admit_it(
    settings: Settings,
) -> None:
    door = Door(settings.model_copy(update={"calling_ae_titles": ("PACS",)}))
    try:
        assert door.associate(calling="PACS").is_established
        assert door.associate(calling="STRANGER").is_rejected
        assert door.associate(calling="PACS", called="SOMEONE").is_rejected
        wait_until(lambda: len(associations(door)) == 3, 5, "three associations are recorded")
        explained = [row.explanation for row in associations(door) if row.outcome == "rejected"]
    finally:
        door.close()
    assert "NIGHTREAD_CALLING_AE_TITLES=PACS,STRANGER" in explained[0]
    assert "NIGHTREAD_AE_TITLE=SOMEONE" in explained[1]


def test_an_association_too_many_is_refused_as_a_passing_state(settings: Settings) -> None:
    door = Door(settings.model_copy(update={"maximum_associations": 1}))
    try:
        first, second = door.associate(), door.associate()
        assert first.is_established
        assert second.is_rejected
        primitive = second.acceptor.primitive
        assert primitive is not None
        assert (primitive.result, primitive.result_source, primitive.diagnostic) == (2, 3, 2)
        first.release()
        wait_until(lambda: door.associate().is_established, 10, "the place is free again")
    finally:
        door.close()


def test_what_was_acknowledged_before_an_abort_is_kept_and_announced(door: Door) -> None:
    ds = radiograph()
    assoc = door.associate(ds)
    assert assoc.send_c_store(ds).Status == 0x0000
    assoc.abort()
    wait_until(door.due.is_set, 10, "the abort is noticed")
    (row,) = associations(door)
    assert (row.outcome, row.stored) == ("aborted", 1)
    with door.records.read() as session:
        assert len(outbox.due(session, dt.datetime.now(dt.UTC))) == 1


def test_bytes_that_are_not_dicom_leave_other_senders_served(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.settings.dicom_port)) as junk:
        junk.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        assert door.send(radiograph()) == [0x0000]


def test_half_a_pdu_does_not_hold_its_place_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "_ARTIM_SECONDS", 1)
    door = Door(settings.model_copy(update={"maximum_associations": 1}))
    try:
        silent = [socket.create_connection(("127.0.0.1", settings.dicom_port)) for _ in range(3)]
        for connection in silent:
            connection.sendall(bytes.fromhex("010000001000616263"))
        wait_until(lambda: door.associate().is_established, 20, "a place is free again")
        for connection in silent:
            connection.close()
    finally:
        door.close()


def test_a_command_that_breaks_the_association_leaves_nothing_behind(door: Door) -> None:
    ds = radiograph()
    assoc = door.associate(ds)
    assert assoc.dul.socket is not None
    connection = assoc.dul.socket.socket
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = ds.SOPClassUID
    request.AffectedSOPInstanceUID = "1.2.3"
    request.DataSet = BytesIO(bytes(64))
    # A context that was never agreed on.
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    for pdata in message.encode_msg(99, 16384):
        assoc.dul.send_pdu(pdata)
    wait_until(door.due.is_set, 10, "the association's end is recorded")
    (row,) = associations(door)
    assert row.outcome == "aborted"
    assert "presentation context 99" in row.explanation
    assert list(door.archive.incoming.iterdir()) == []
    assert door.send(radiograph()) == [0x0000]
    assert connection is not None
    connection.close()


def test_a_port_that_is_taken_is_an_error_that_names_the_setting(door: Door) -> None:
    with pytest.raises(DependencyError, match="NIGHTREAD_DICOM_PORT"):
        open_ports(door.settings)


def test_dcmtk_sends_real_compressed_files(door: Door, dcmtk: Path, test_data: Path) -> None:
    film = test_data / "dicom/dicom-test-files/data/WG04/JPLL/RG3_JPLL"
    command = [dcmtk / "storescu", "-R", "-xs", "-aec", "NIGHTREAD", "127.0.0.1"]
    sent = subprocess.run(
        [*command, str(door.settings.dicom_port), film], capture_output=True, text=True, check=False
    )
    assert sent.returncode == 0, sent.stderr
    (kept,) = kept_files(door)
    # storescu writes sequence lengths its own way; the compressed pixels are untouched.
    assert pydicom.dcmread(kept).PixelData == pydicom.dcmread(film).PixelData


def associations(door: Door) -> list[AssociationRow]:
    with door.records.read() as session:
        return list(session.scalars(select(AssociationRow).order_by(AssociationRow.id)))
