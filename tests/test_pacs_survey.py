from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from part10_files import SOP_CLASS, part10_file
from pydicom.uid import MediaStorageDirectoryStorage

from pacs.survey import LeftOut, Part10File, survey


def test_a_folder_is_searched_in_the_order_of_its_names(tmp_path: Path) -> None:
    paths = [part10_file(tmp_path / name) for name in ("b/2.dcm", "a/9", "c.dcm")]
    found = list(survey([tmp_path]))
    assert [item.path for item in found] == [paths[1], paths[0], paths[2]]
    assert all(isinstance(item, Part10File) for item in found)


def test_a_file_is_described_by_its_meta_information(tmp_path: Path) -> None:
    path = part10_file(tmp_path / "image.dcm", sop_instance_uid="1.2.3.4")
    (found,) = survey([path])
    assert found == Part10File(path, SOP_CLASS, "1.2.3.4", "1.2.840.10008.1.2.1")


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 128, b"\0" * 128 + b"DICOM"])
def test_what_is_not_dicom_is_left_out_with_the_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    (found,) = survey([path])
    assert isinstance(found, LeftOut)
    assert found.why


def test_a_path_that_does_not_exist_is_left_out(tmp_path: Path) -> None:
    (found,) = survey([tmp_path / "gone.dcm"])
    assert isinstance(found, LeftOut)
    assert "No such file" in found.why


def test_a_dicomdir_is_an_index_and_not_an_image(tmp_path: Path) -> None:
    path = part10_file(tmp_path / "DICOMDIR", sop_class_uid=MediaStorageDirectoryStorage)
    (found,) = survey([path])
    assert isinstance(found, LeftOut)
    assert found.is_index


@pytest.mark.parametrize("uid", ["", "1.2." + "3" * 70, "patient Doe"])
def test_a_file_without_a_usable_uid_is_left_out(tmp_path: Path, uid: str) -> None:
    (found,) = survey([part10_file(tmp_path / "image.dcm", sop_instance_uid=uid)])
    assert isinstance(found, LeftOut)
    assert "MediaStorageSOPInstanceUID" in found.why


@given(head=st.booleans(), junk=st.binary(max_size=600))
def test_no_file_stops_the_survey(head: bool, junk: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "junk"
        path.write_bytes((b"\0" * 128 + b"DICM" if head else b"") + junk)
        assert len(list(survey([Path(name)]))) == 1


@given(cut=st.integers(min_value=0, max_value=500), junk=st.binary(max_size=40))
def test_a_damaged_header_stops_nothing(cut: int, junk: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        whole = part10_file(Path(name) / "image.dcm")
        content = whole.read_bytes()
        whole.write_bytes(content[:cut] + junk + content[cut + len(junk) :])
        assert len(list(survey([whole]))) == 1


def test_the_malformed_files_of_a_fuzzing_corpus_are_surveyed_to_the_end(test_data: Path) -> None:
    folder = test_data / "dicom_fuzz"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(list(survey([folder]))) == len(files)
