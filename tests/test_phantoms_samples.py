"""The demonstration set and the load: valid files, faithful pixels, nobody's data."""

from __future__ import annotations

import datetime as dt
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from phantoms.film import Film, codes_of, picture_elements
from phantoms.load import small_study, write_load
from phantoms.radiograph import make_phantom
from phantoms.samples import SampleStudy, write_samples
from phantoms.study import MANUFACTURER, Patient, View, Visit, image, uid_of
from phantoms.transfer import can_write, transcode
from screening.dicom.eligibility import exclusion_of
from screening.dicom.header import read_header
from screening.dicom.pixels import read_pixels
from screening.dicom.quality import blank_or_saturated, measure_quality
from screening.domain.reason import Reason

SYNTAXES = {
    "Implicit LE": "1.2.840.10008.1.2",
    "Explicit LE": "1.2.840.10008.1.2.1",
    "Deflated": "1.2.840.10008.1.2.1.99",
    "Explicit BE": "1.2.840.10008.1.2.2",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "RLE": "1.2.840.10008.1.2.5",
}
PICTURE = make_phantom(7, "FOREARM", rows=160, columns=128)
VISIT = Visit(
    Patient("PHANTOM^TEST", "PHANTOM-T"), "test", "PHANTOM-T", "PHANTOM", dt.datetime(2025, 1, 6)
)
FILMS = [
    Film("DX", "MONOCHROME2", 14, padded=True),
    Film("DX", "MONOCHROME1", 12, voi="lut"),
    Film("DX", "MONOCHROME2", 16),
    Film("CR", "MONOCHROME1", 10, voi="none"),
    Film("CR", "MONOCHROME2", 12, rescale=(2.0, -120.0)),
]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[SampleStudy]:
    return write_samples(tmp_path_factory.mktemp("samples"), rows=320)


def data_sets(samples: list[SampleStudy]) -> list[Dataset]:
    return [pydicom.dcmread(path) for study in samples for path in study.paths]


def stored(film: Film) -> Dataset:
    return image(VISIT, 1, View("FOREARM", "R", "AP"), film, codes_of(PICTURE, film))


@pytest.mark.parametrize("film", FILMS, ids=str)
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_what_is_decoded_is_what_was_encoded(film: Film, syntax: str, tmp_path: Path) -> None:
    if not can_write(pydicom.uid.UID(syntax)):
        pytest.skip(f"no encoder for {syntax} on this machine")
    ds = stored(film)
    transcode(ds, pydicom.uid.UID(syntax))
    ds.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    read = pydicom.dcmread(tmp_path / "image.dcm")
    assert read.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(read.pixel_array, codes_of(PICTURE, film))
    assert read.pixel_array.max() < 1 << film.bits_stored


@pytest.mark.parametrize("film", FILMS, ids=str)
def test_shown_as_its_header_asks_a_film_is_the_picture_again(film: Film) -> None:
    ds = stored(film)
    values = apply_modality_lut(ds.pixel_array, ds)
    if film.voi == "window" or film.voi == "lut":
        values = apply_voi_lut(values if film.rescale != (1.0, 0.0) else ds.pixel_array, ds)
    values = values.astype(np.float64)
    shown = (values - values.min()) / np.ptp(values)
    if film.photometric == "MONOCHROME1":
        shown = 1 - shown
    shades = [shown[(low <= PICTURE) & (low + 0.05 > PICTURE)].mean() for low in (0.1, 0.4, 0.7)]
    assert shades == sorted(shades)
    if film.voi != "lut":  # a LUT is a curve
        assert np.abs(shown - PICTURE).max() < 0.01


def test_padding_is_declared_where_the_shutter_is() -> None:
    film = FILMS[0]
    assert picture_elements(film).PixelPaddingValue == 0
    codes = codes_of(PICTURE, film)
    assert (codes[PICTURE == 0] == 0).all()
    assert codes[PICTURE > 0].min() > 0


def test_the_set_holds_the_variety_that_a_pacs_sends(samples: list[SampleStudy]) -> None:
    read = data_sets(samples)
    images = [ds for ds in read if "PixelData" in ds]
    assert {ds.Modality for ds in read} == {"CR", "DX", "SR"}
    assert {ds.PhotometricInterpretation for ds in images} == {"MONOCHROME1", "MONOCHROME2"}
    assert {ds.BitsStored for ds in images} == {10, 12, 14, 16}
    encodable = {uid for uid in SYNTAXES.values() if can_write(pydicom.uid.UID(uid))}
    assert {str(ds.file_meta.TransferSyntaxUID) for ds in read} == encodable
    assert {"VOILUTSequence" in ds for ds in images} == {True, False}
    assert {"PixelPaddingValue" in ds for ds in images} == {True, False}
    assert {ds.get("ViewPosition") for ds in images} >= {"AP", "PA", "LAT", "OBL"}


def test_every_expectation_is_what_the_header_says(samples: list[SampleStudy]) -> None:
    for study in samples:
        for path, expected in zip(study.paths, study.expected, strict=True):
            header = read_header(path)
            exclusion = exclusion_of(header, minimum_age_years=2.0)
            assert (exclusion.reason if exclusion else "scored") == expected, path
            assert header.study_instance_uid == study.study_instance_uid
    expectations = {expected for study in samples for expected in study.expected}
    assert expectations == {
        "scored",
        Reason.BODY_PART_OUT_OF_SCOPE,
        Reason.NOT_A_RADIOGRAPH,
        Reason.NO_PIXEL_DATA,
        Reason.BELOW_AGE,
    }


def test_every_image_to_be_scored_shows_something(samples: list[SampleStudy]) -> None:
    for study in samples:
        for path, expected in zip(study.paths, study.expected, strict=True):
            if expected == "scored":
                assert blank_or_saturated(measure_quality(read_pixels(path))) is None


def test_every_file_says_that_it_is_a_phantom(samples: list[SampleStudy]) -> None:
    for ds in data_sets(samples):
        assert ds.Manufacturer == MANUFACTURER
        assert ds.PatientID.startswith("PHANTOM-")
        assert ds.AccessionNumber.startswith("PHANTOM-")
        assert "PHANTOM" in ds.StudyDescription
        assert "not a patient" in ds.PatientComments
        assert "PixelData" not in ds or "not a patient" in ds.ImageComments


def test_names_survive_their_character_sets(samples: list[SampleStudy]) -> None:
    names = {read_header(study.paths[0]).patient_name for study in samples}
    assert "FANTÔME^CHEVILLE" in names
    assert any(name and "模型^足" in name for name in names)


def test_uids_are_well_formed_and_each_image_has_its_own(samples: list[SampleStudy]) -> None:
    read = data_sets(samples)
    for ds in read:
        for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID):
            assert uid.is_valid
            assert uid.startswith("2.25.")
    assert len({ds.SOPInstanceUID for ds in read}) == len(read)
    assert len({study.study_instance_uid for study in samples}) == len(samples)


def test_the_set_is_the_same_every_time(tmp_path: Path, samples: list[SampleStudy]) -> None:
    again = write_samples(tmp_path, rows=320, studies=3)
    for first, second in zip(samples, again, strict=False):
        for one, other in zip(first.paths, second.paths, strict=True):
            assert one.read_bytes() == other.read_bytes()


def test_more_studies_than_kinds_are_other_studies(tmp_path: Path) -> None:
    studies = write_samples(tmp_path, rows=96, studies=12)
    assert len({study.study_instance_uid for study in studies}) == 12
    first, later = (pydicom.dcmread(studies[at].paths[0]) for at in (0, 10))
    assert not np.array_equal(first.pixel_array, later.pixel_array)


def test_dates_follow_the_callers_clock(tmp_path: Path) -> None:
    [study] = write_samples(tmp_path, rows=96, studies=1, now=dt.datetime(2031, 5, 4, 0, 3))
    ds = pydicom.dcmread(study.paths[0])
    assert (ds.StudyDate, ds.StudyTime) == ("20310503", "235800")


def test_the_command_writes_the_set(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "phantoms", tmp_path / "new" / "set", "--studies=1"]
    subprocess.run([*command, "--rows=96"], check=True, capture_output=True)
    assert len(list(tmp_path.rglob("*.dcm"))) == 2


def test_a_load_is_many_studies_with_pixels_of_their_own(tmp_path: Path) -> None:
    paths = write_load(tmp_path, 5, 3, side=64)
    read = [pydicom.dcmread(path) for path in paths]
    assert len({ds.SOPInstanceUID for ds in read}) == 15
    assert len({ds.StudyInstanceUID for ds in read}) == 5
    assert len({ds.PixelData for ds in read}) == 15
    for ds in read:
        assert ds.pixel_array.max() < 4096
        assert exclusion_of(read_header(paths[0]), minimum_age_years=2.0) is None


def test_a_small_study_is_the_same_every_time() -> None:
    for one, other in itertools.pairwise([list(small_study(4, side=64)) for _ in range(2)]):
        assert one == other


def test_a_uid_stands_for_its_parts() -> None:
    assert uid_of("a", 1) == uid_of("a", 1)
    assert uid_of("a", 1) != uid_of("a", 2)
