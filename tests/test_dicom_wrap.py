"""JPEG and PNG files wrapped as DX: what they keep, what they do not leak, what is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation

from screening.dicom.picture import read_picture
from screening.dicom.wrap import wrap_file, wrap_image
from screening.errors import DecodeError, HeaderError, NightreadError, PixelError

NOW = dt.datetime(2025, 1, 6, 21, 30)
GRADIENT = np.add.outer(np.arange(90), np.arange(121)).astype(np.uint8)


def saved(
    folder: Path, image: Image.Image, name: str = "DOE_JANE_19700101.png", **how: object
) -> Path:
    path = folder / name
    image.save(path, **how)
    return path


def wrapped(path: Path, **claims: str) -> Dataset:
    return wrap_image(path, now=NOW, **claims)


def grey_png(folder: Path) -> Path:
    return saved(folder, Image.fromarray(GRADIENT))


def test_a_grey_png_keeps_every_value(tmp_path: Path) -> None:
    target = tmp_path / "wrapped.dcm"
    wrap_file(grey_png(tmp_path), target, now=NOW)
    ds = pydicom.dcmread(target)
    assert np.array_equal(ds.pixel_array, GRADIENT)
    assert (ds.BitsStored, ds.PhotometricInterpretation) == (8, "MONOCHROME2")
    assert (ds.WindowCenter, ds.WindowWidth) == (128, 256)
    assert ds.LossyImageCompression == "00"


def test_sixteen_bits_stay_sixteen_and_the_window_spans_what_is_there(tmp_path: Path) -> None:
    values = GRADIENT.astype(np.uint16) * 17
    ds = wrapped(saved(tmp_path, Image.fromarray(values)))
    assert np.array_equal(ds.pixel_array, values)
    assert (ds.BitsStored, ds.HighBit) == (16, 15)
    assert (ds.WindowCenter, ds.WindowWidth) == ((values.max() + 1) / 2, values.max() + 1)


def test_an_odd_number_of_bytes_is_padded(tmp_path: Path) -> None:
    ds = wrapped(saved(tmp_path, Image.fromarray(GRADIENT[:3, :3])))
    assert len(ds.PixelData) == 10
    assert np.array_equal(ds.pixel_array, GRADIENT[:3, :3])


def test_a_jpeg_says_that_it_was_compressed_with_loss(tmp_path: Path) -> None:
    ds = wrapped(saved(tmp_path, Image.fromarray(GRADIENT), "film.jpg", quality=90))
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(ds.LossyImageCompressionRatio) > 1
    assert np.abs(ds.pixel_array.astype(int) - GRADIENT).max() < 12


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_colour_modes_whose_channels_agree_become_grey(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(GRADIENT)
    image = grey.convert("P") if mode == "P" else grey.convert("RGB").convert(mode)
    if mode == "CMYK":
        path = saved(tmp_path, image, "film.jpg", quality=98)
    else:
        path = saved(tmp_path, image)
    most = 4 if mode == "CMYK" else 0  # JPEG rounds
    assert np.abs(read_picture(path).pixels.astype(int) - GRADIENT).max() <= most


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    ink = GRADIENT > 100
    pixels = read_picture(saved(tmp_path, Image.fromarray(ink))).pixels
    assert np.array_equal(pixels, ink * np.uint8(255))


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    image = Image.fromarray(GRADIENT).convert("RGBA")
    image.putalpha(0)
    assert read_picture(saved(tmp_path, image)).pixels.max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(GRADIENT), exif=exif)
    turns = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.T, 6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).T,
        8: np.rot90,
    }  # fmt: skip
    assert np.array_equal(read_picture(path).pixels, turns[orientation](GRADIENT))


def test_exif_that_cannot_be_read_does_not_matter(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GRADIENT), exif=b"Exif\0\0junk\xff\xff")
    assert np.array_equal(read_picture(path).pixels, GRADIENT)


def test_wrapping_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    source = grey_png(tmp_path)
    for name, hour in (("a.dcm", 0), ("b.dcm", 23)):
        wrap_file(source, tmp_path / name, now=NOW.replace(hour=hour), body_part="hand")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_other_pixels_and_other_claims_are_other_instances(tmp_path: Path) -> None:
    source = grey_png(tmp_path)
    other = saved(tmp_path, Image.fromarray(GRADIENT + np.uint8(1)), "other.png")
    uids = {
        wrapped(source).SOPInstanceUID,
        wrapped(other).SOPInstanceUID,
        wrapped(source, body_part="HAND").SOPInstanceUID,
        wrapped(source, patient_id="A").SOPInstanceUID,
        wrapped(source, accession_number="A").SOPInstanceUID,
        wrapped(source, laterality="L").SOPInstanceUID,
        wrapped(source, study_instance_uid="1.2.3").SOPInstanceUID,
        wrap_image(source, now=NOW + dt.timedelta(days=1)).SOPInstanceUID,
    }
    assert len(uids) == 8


def test_images_of_one_study_share_its_patient_and_not_their_uids(tmp_path: Path) -> None:
    first, second = (
        wrapped(saved(tmp_path, Image.fromarray(GRADIENT + np.uint8(n)), f"{n}.png"),
                study_instance_uid="1.2.3")
        for n in (0, 1)
    )  # fmt: skip
    assert first.PatientID == second.PatientID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID


def test_nothing_of_the_file_leaks_into_the_header(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe, ward 7"
    exif[0x0132] = "1999:12:31 23:59:59"
    source = saved(tmp_path, Image.fromarray(GRADIENT), "DOE_JANE_19700101.jpg", exif=exif)
    wrap_file(source, tmp_path / "wrapped.dcm", now=NOW)
    content = (tmp_path / "wrapped.dcm").read_bytes().lower()
    for secret in (b"doe", b"jane", b"ward 7", b"1970", b"1999"):
        assert secret not in content


def test_the_header_is_that_of_a_dx_image(tmp_path: Path) -> None:
    ds = wrapped(grey_png(tmp_path), body_part="forearm", patient_id="P1", accession_number="A1")
    assert ds.SOPClassUID == DigitalXRayImageStorageForPresentation
    assert ds.PresentationIntentType == "FOR PRESENTATION"
    assert (ds.PatientID, ds.AccessionNumber, ds.StudyDate) == ("P1", "A1", "20250106")
    assert ds.BodyPartExamined == "FOREARM"
    assert ds.AnatomicRegionSequence[0].CodeValue == "14975008"
    assert ds.ImageType == ["DERIVED", "PRIMARY", ""]
    # A manufacturer of Nightread would have the image taken for one of our own results.
    assert ds.Manufacturer == ""
    assert "ImagerPixelSpacing" not in ds


def test_an_unknown_body_part_has_no_code(tmp_path: Path) -> None:
    assert not wrapped(grey_png(tmp_path), body_part="TOOTH_FAIRY").AnatomicRegionSequence


@pytest.mark.parametrize("how", [{"format": "JPEG"}, {"format": "PNG"}])
def test_a_truncated_file_is_accepted_with_a_note(tmp_path: Path, how: dict[str, str]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, **how)
    path = tmp_path / "film"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) * 2 // 3])
    ds = wrapped(path)
    assert "truncated" in ds.DerivationDescription
    assert ds.pixel_array.shape == (200, 200)
    assert ds.pixel_array[:80].std() > 20


def test_real_truncated_jpegs_are_accepted(test_data: Path) -> None:
    index = (test_data / "fracatlas" / "index.csv").read_text().splitlines()
    columns = index[0].split(",")
    cut = columns.index("truncated")
    paths = [line.split(",")[0] for line in index[1:] if line.split(",")[cut] == "1"][:3]
    for path in paths:
        assert "truncated" in wrapped(test_data / "fracatlas" / path).DerivationDescription


def test_a_colour_photograph_is_refused(tmp_path: Path) -> None:
    hues = np.random.default_rng(1).integers(0, 255, (50, 50, 3), dtype=np.uint8)
    with pytest.raises(PixelError, match="colour"):
        wrapped(saved(tmp_path, Image.fromarray(hues)))


def test_a_coloured_marker_on_a_film_is_not_a_photograph(tmp_path: Path) -> None:
    pixels = np.repeat(GRADIENT[..., None], 3, axis=2)
    pixels[:10, :10] = (255, 0, 0)
    assert wrapped(saved(tmp_path, Image.fromarray(pixels))).Rows == 90


def test_several_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(GRADIENT + np.uint8(n)) for n in range(3)]
    path = saved(tmp_path, frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(PixelError, match="3 pictures"):
        wrapped(path)


def bomb(folder: Path, side: int) -> Path:
    """A PNG of a few bytes that claims to be ``side`` pixels wide and high."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path = folder / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT" + b"\0" * 4)
    return path


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000, 70_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    with pytest.raises(PixelError, match="million pixels"):
        wrapped(bomb(tmp_path, side))


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 50],
    ids=["empty", "text", "JPEG marker", "PNG signature", "GIF"],
)
def test_what_is_no_jpeg_or_png_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "DOE_JANE.jpg"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match="export") as caught:
        wrapped(path)
    assert "DOE" not in str(caught.value)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        wrapped(tmp_path / "nowhere.png")


@pytest.mark.parametrize(
    ("claims", "what"),
    [
        ({"study_instance_uid": "1.02.3"}, "Study Instance UID"),
        ({"study_instance_uid": "../../etc"}, "Study Instance UID"),
        ({"patient_id": "A" * 65}, "patient id"),
        ({"patient_id": "A\\B"}, "patient id"),
        ({"patient_id": "A\nB"}, "patient id"),
        ({"accession_number": "1" * 17}, "accession number"),
        ({"body_part": "HAND\\FOOT"}, "body part"),
        ({"body_part": "a part with a long name"}, "body part"),
    ],
)
def test_a_claim_that_dicom_does_not_allow_is_refused(
    tmp_path: Path, claims: dict[str, str], what: str
) -> None:
    with pytest.raises(HeaderError, match=what):
        wrapped(grey_png(tmp_path), **claims)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_wrapped_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG"]))
    buffer = io.BytesIO()
    Image.fromarray(GRADIENT).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "film"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(NightreadError):
        assert wrapped(path).pixel_array.ndim == 2
