from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from installation import Installation
from pydicom import dcmread
from pynetdicom import AE

from pacs.answers import leave_answers
from phantoms.load import write_load
from screening.archive.folder_archive import FolderArchive
from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.settings import Settings


@pytest.fixture
def installation(settings: Settings) -> Iterator[Installation]:
    opened = Installation(settings)
    opened.start("listen")
    wait_until(opened.listens, 30, "the door answers")
    yield opened
    opened.stop()


def send_until_it_breaks(port: int, paths: list[Path], acknowledged: set[str]) -> None:
    """Send over one association and note what was answered 0x0000."""
    datasets = [dcmread(path) for path in paths]
    ae = AE("PACS")
    ae.dimse_timeout = 5
    ae.add_requested_context(datasets[0].SOPClassUID, datasets[0].file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", port, ae_title="NIGHTREAD")
    leave_answers(assoc)
    for ds in datasets:
        if not assoc.is_established:
            return
        status = assoc.send_c_store(ds)
        if "Status" in status and status.Status == 0x0000:
            acknowledged.add(str(ds.SOPInstanceUID))
    assoc.release()


def test_a_listener_killed_in_mid_study_has_kept_all_that_it_acknowledged(
    installation: Installation, tmp_path: Path
) -> None:
    paths = write_load(tmp_path, 1, 100)
    port = installation.settings.dicom_port
    acknowledged: set[str] = set()
    sender = threading.Thread(target=send_until_it_breaks, args=(port, paths, acknowledged))
    sender.start()
    wait_until(lambda: len(acknowledged) > 10, 30, "the first images are acknowledged")
    installation.kill("listen")
    sender.join(60)
    assert 10 < len(acknowledged) < 100, "it was killed in mid-study"

    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers again")
    (dossier,) = installation.dossiers()
    kept = {image.sop_instance_uid for image in dossier.images}
    assert acknowledged <= kept
    assert len(kept - acknowledged) <= 1, "at most the one whose answer was under way"
    archive = FolderArchive(installation.settings.archive_dir)
    for image in dossier.images:
        path = archive.open_path(image.digest)
        digest = content_digest(
            path,
            offset=data_set_offset(path),
            transfer_syntax_uid=image.transfer_syntax_uid,
        )
        assert digest == image.digest, "every byte is there"

    send_until_it_breaks(port, paths, acknowledged)
    assert len(acknowledged) == 100
    counted = installation.tally()
    assert (counted.received, counted.conflicts) == (100, 0)


def test_a_listener_that_is_asked_to_stop_lets_an_association_finish(
    installation: Installation, tmp_path: Path
) -> None:
    paths = write_load(tmp_path, 1, 60)
    acknowledged: set[str] = set()
    sender = threading.Thread(
        target=send_until_it_breaks,
        args=(installation.settings.dicom_port, paths, acknowledged),
    )
    sender.start()
    wait_until(lambda: len(acknowledged) > 5, 30, "the first images are acknowledged")
    process = installation.processes.pop("listen")
    started = time.monotonic()
    process.terminate()
    sender.join(30)
    assert process.wait(30) == 0
    assert time.monotonic() - started < 20
    assert len(acknowledged) == 60
    assert installation.tally().received == 60


def test_a_wrong_setting_ends_the_process_with_its_name(settings: Settings) -> None:
    installation = Installation(settings.model_copy(update={"model": "no-such-model"}))
    installation.start("work")
    process = installation.processes.pop("work")
    assert process.wait(60) == 1
    assert "NIGHTREAD_MODEL" in installation.log("work")
    installation.stop()


def test_no_log_names_a_patient(installation: Installation, tmp_path: Path) -> None:
    (path,) = write_load(tmp_path, 1, 1)
    ds = dcmread(path)
    ds.PatientName = "Unmistakable^Name"
    ds.PatientID = "UNMISTAKABLE-ID"
    ds.BodyPartExamined = "CHEST"
    ds.save_as(path)
    installation.send([path])
    conflicting = dcmread(path)
    conflicting.PatientName = "Unmistakable^Other"
    conflicting.save_as(path)
    installation.send([path])
    wait_until(lambda: installation.tally().conflicts == 1, 10, "the conflict is recorded")
    log = installation.log("listen")
    assert "conflicting_duplicate" in log
    assert "nmistakable" not in log
    assert "UNMISTAKABLE" not in log
