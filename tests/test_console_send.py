from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from conftest import free_port
from console import nightread
from part10_files import SOP_CLASS, part10_file
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian
from receiver import receiver


def test_a_folder_is_sent_and_summed_up(tmp_path: Path) -> None:
    for number in range(3):
        part10_file(tmp_path / "images" / f"{number}.dcm")
    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}) as archive:
        ran = nightread("send", "images", "--port", archive.port, "--aet", "ARCHIVE", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr == f"ARCHIVE at 127.0.0.1 port {archive.port}: 3 accepted (0x0000)\n"
    assert len(archive.came) == 3


def test_json_has_a_row_for_every_file(tmp_path: Path) -> None:
    image = part10_file(tmp_path / "image.dcm", sop_instance_uid="1.2.3")
    notes = tmp_path / "notes.txt"
    notes.write_text("not an image")
    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}) as archive:
        ran = nightread("send", "--json", image, notes, "--port", archive.port, cwd=tmp_path)
    assert ran.returncode == 1, "something was not accepted"
    sent, left_out = json.loads(ran.stdout)
    assert sent == {
        "path": str(image),
        "sop_instance_uid": "1.2.3",
        "status": "0x0000",
        "accepted": True,
        "explanation": "",
    }
    assert left_out["accepted"] is False
    assert "not a DICOM file" in left_out["explanation"]


def test_a_refused_file_is_listed_with_its_status(tmp_path: Path) -> None:
    image = part10_file(tmp_path / "image.dcm")
    with receiver({SOP_CLASS: [ExplicitVRLittleEndian]}, lambda event: 0xA700) as archive:
        ran = nightread("send", image, "--port", archive.port, cwd=tmp_path)
    assert ran.returncode == 1
    assert "image.dcm: 0xA700 refused, out of resources" in ran.stderr


def test_a_hostile_file_name_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b]0;owned\x07.dcm"
    path.write_text("not an image")
    ran = nightread("send", path, cwd=tmp_path, dicom_port=free_port())
    assert "\x1b" not in ran.stderr


@pytest.mark.parametrize("command", [["send", "image.dcm"], ["send", "--json", "image.dcm"]])
def test_where_nobody_listens_it_says_what_to_start(tmp_path: Path, command: list[str]) -> None:
    part10_file(tmp_path / "image.dcm")
    port = free_port()
    ran = nightread(*command, cwd=tmp_path, dicom_port=port)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: nobody answers on 127.0.0.1 port {port}: is it running")
    assert ran.stderr.count("\n") == 1


def test_a_listener_of_tls_alone_cannot_be_sent_to(tmp_path: Path) -> None:
    certificate = {"tls_certificate": tmp_path / "ours.pem", "tls_key": tmp_path / "ours.key"}
    ran = nightread("send", tmp_path, cwd=tmp_path, dicom_port=0, tls_port=2762, **certificate)
    assert ran.returncode != 0
    assert "NIGHTREAD_DICOM_PORT=0" in ran.stderr
    assert "--host and --port" in ran.stderr


def test_an_empty_folder_is_no_success(tmp_path: Path) -> None:
    assert nightread("send", tmp_path, cwd=tmp_path, dicom_port=free_port()).returncode == 1


def picture(path: Path, size: tuple[int, int] = (90, 120)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 255, size[0] * size[1], dtype=np.uint8).reshape(size)
    Image.fromarray(ramp).save(path)
    return path


def test_pictures_are_wrapped_and_a_bad_one_does_not_stop_the_others(tmp_path: Path) -> None:
    picture(tmp_path / "films/a.png")
    picture(tmp_path / "films/deep/a.jpg")
    (tmp_path / "films/b.png").write_text("not a picture")
    options = ["--body-part", "hand", "--patient-id", "P1", "--side", "L", "--accession", "A1"]
    ran = nightread("wrap", "films", "--out", "out", *options, cwd=tmp_path)
    assert ran.returncode == 1
    bad, summary = ran.stderr.splitlines()
    assert bad.startswith("films/b.png: ")
    assert summary == "2 of 3 pictures wrapped into out"
    ds = pydicom.dcmread(tmp_path / "out/deep/a.jpg.dcm")
    assert (ds.BodyPartExamined, ds.PatientID, ds.ImageLaterality) == ("HAND", "P1", "L")
    assert (ds.AccessionNumber, ds.Modality) == ("A1", "DX")
    assert (tmp_path / "out/a.png.dcm").is_file()


def test_wrapping_twice_makes_the_same_instances(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    first = nightread("wrap", "a.png", "--out", "one", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    nightread("wrap", "a.png", "--out", "two", cwd=tmp_path)
    one, two = (tmp_path / folder / "a.png.dcm" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
