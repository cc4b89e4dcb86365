"""Pixels: a golden table worked out by hand, real films in every encoding, and pydicom as a check.

The cases of the table are images of one row, so that each expected value can be worked out from
the clause that its name cites.
"""

from __future__ import annotations

import csv
import io
import random
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from phantoms.load import small_study
from phantoms.study import save
from screening.dicom.image_pixel import ImagePixel
from screening.dicom.jpeg2000 import decode_reduced
from screening.dicom.pixels import read_pixels
from screening.dicom.quality import blank_or_saturated, measure_quality
from screening.errors import DecodeError, NoPixelDataError, PixelError

EXACT = 1e-6
"""float32 keeps 24 bits; the table is worked out in float64 and rounded once."""


def lut(
    first: int, entries: list[int], bits: int, *, count: int | None = None, vr: str = "US"
) -> Sequence:
    item = Dataset()
    length = len(entries) % 65536 if count is None else count
    item.add_new("LUTDescriptor", vr, [length, first, bits])
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    return Sequence([item])


def byte_lut(first: int, entries: list[int]) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, 8])
    item.add_new("LUTData", "OW", np.array(entries, "u1").tobytes())
    return Sequence([item])


@dataclass(frozen=True)
class Case:
    """One row of stored pixels, how it is described, and the brightness expected."""

    name: str
    stored: list[int]
    expected: list[float]
    dtype: str = "<u2"
    attributes: dict[str, Any] = field(default_factory=dict)
    syntax: str = ExplicitVRLittleEndian


WINDOW = {"WindowCenter": 100, "WindowWidth": 101}

CASES = [
    Case("no VOI: the range that occurs", [10, 20, 30], [0, 0.5, 1]),
    Case("8 bits, odd length, padded", [0, 51, 255], [0, 0.2, 1], "u1"),
    Case("big endian", [256, 512, 768], [0, 0.5, 1], ">u2", syntax=ExplicitVRBigEndian),
    Case("implicit VR", [1, 2, 3], [0, 0.5, 1], syntax=ImplicitVRLittleEndian),
    Case("signed 16 bit", [-100, 0, 100], [0, 0.5, 1], "<i2"),
    Case(
        "signed 12 bit, not extended into the unused bits: PS3.5 8.1.1",
        [0xF9C, 0x000, 0x064],  # -100, 0, 100
        [0, 0.5, 1],
        "<u2",
        {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1},
    ),
    Case(
        "an overlay in the high bits is no part of the values: PS3.5 8.1.1",
        [0x8000, 0x0800, 0x0FFF],
        [0, 2048 / 4095, 1],
        attributes={"BitsStored": 12, "HighBit": 11, "overlay": 15},
    ),
    Case(
        "Bits Stored is too small for the data",
        [0, 2000, 4000],
        [0, 0.5, 1],
        attributes={"BitsStored": 10, "HighBit": 9},
    ),
    Case(
        "High Bit 15 of 12 stored bits",
        [0x0000, 0x8000, 0xFFF0],
        [0, 2048 / 4095, 1],
        attributes={"BitsStored": 12, "HighBit": 15},
    ),
    Case(
        "Bits Stored above Bits Allocated",
        [0, 1, 2],
        [0, 0.5, 1],
        attributes={"BitsStored": 32, "HighBit": 31},
    ),
    Case(
        "MONOCHROME1: PS3.3 C.7.6.3.1.2",
        [10, 20, 30],
        [1, 0.5, 0],
        attributes={"PhotometricInterpretation": "MONOCHROME1"},
    ),
    Case(
        "MONOCHROME1 with INVERSE is inverted once: PS3.3 C.8.11.3",
        [10, 20, 30],
        [1, 0.5, 0],
        attributes={
            "PhotometricInterpretation": "MONOCHROME1",
            "PresentationLUTShape": "INVERSE",
        },
    ),
    Case(
        "MONOCHROME2 with INVERSE",
        [10, 20, 30],
        [1, 0.5, 0],
        attributes={"PresentationLUTShape": "INVERSE"},
    ),
    Case(
        "padding is background and no part of the range: PS3.3 C.7.5.1.1.2",
        [0, 100, 200, 300],
        [0, 0, 0.5, 1],
        attributes={"PixelPaddingValue": 0},
    ),
    Case(
        "a range of padding, inclusive",
        [0, 5, 10, 110, 210],
        [0, 0, 0, 0, 1],
        attributes={"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 10},
    ),
    Case(
        "padding of MONOCHROME1 lies at the top and becomes black",
        [0, 100, 65000, 65535],
        [1, 0, 0, 0],
        attributes={
            "PhotometricInterpretation": "MONOCHROME1",
            "PixelPaddingValue": 65535,
            "PixelPaddingRangeLimit": 65000,
        },
    ),
    Case(
        "negative padding",
        [-2000, -1000, 0, 1000],
        [0, 0, 0.5, 1],
        "<i2",
        {"PixelPaddingValue": -2000},
    ),
    Case("nothing but padding", [7, 7], [0, 0], attributes={"PixelPaddingValue": 7}),
    Case("one value", [7, 7, 7], [0, 0, 0]),
    Case(
        "rescale, then window: PS3.3 C.11.1 and C.11.2.1.2.1",
        [0, 25, 50, 75],  # -50, 0, 50, 100
        [0, 0, 0.5, 1],
        attributes={
            "RescaleSlope": 2,
            "RescaleIntercept": -50,
            "WindowCenter": 50.5,
            "WindowWidth": 101,
        },
    ),
    Case(
        "rescale with a negative slope",
        [0, 50, 100],
        [1, 0.5, 0],
        attributes={"RescaleSlope": -1, "RescaleIntercept": 1000},
    ),
    Case("a slope of 0 is junk", [0, 1, 2], [0, 0.5, 1], attributes={"RescaleSlope": 0}),
    Case(
        "LINEAR: lowest at c - 0.5 - (w-1)/2, highest above c - 0.5 + (w-1)/2",
        [49, 50, 99, 100, 150, 200],
        [0, 0.005, 0.495, 0.505, 1, 1],
        attributes=WINDOW,
    ),
    Case(
        "LINEAR_EXACT: PS3.3 C.11.2.1.3.2",
        [49, 50, 100, 150, 200],
        [0, 0, 0.5, 1, 1],
        attributes={
            "WindowCenter": 100,
            "WindowWidth": 100,
            "VOILUTFunction": "LINEAR_EXACT",
        },
    ),
    Case(
        "SIGMOID: PS3.3 C.11.2.1.3.1",
        [0, 100, 150, 65535],
        [1 / (1 + np.exp(4)), 0.5, 1 / (1 + np.exp(-2)), 1],
        attributes={"WindowCenter": 100, "WindowWidth": 100, "VOILUTFunction": "SIGMOID"},
    ),
    Case(
        "LINEAR of width 1 is a step above c - 0.5",
        [99, 100, 101],
        [0, 1, 1],
        attributes={"WindowCenter": 100, "WindowWidth": 1},
    ),
    Case(
        "LINEAR below width 1 is not allowed, so the range is shown",
        [10, 20, 30],
        [0, 0.5, 1],
        attributes={"WindowCenter": 20, "WindowWidth": 0},
    ),
    Case(
        "the first of several windows",
        [0, 50, 100],
        [0, 0.5, 1],
        attributes={"WindowCenter": [50.5, 9], "WindowWidth": [101, 3]},
    ),
    Case(
        "a window in MONOCHROME1 is applied before the inversion",
        [49, 100, 200],
        [1, 0.495, 0],
        attributes={**WINDOW, "PhotometricInterpretation": "MONOCHROME1"},
    ),
    Case(
        "Modality LUT, then window: PS3.3 C.11.1.1.1",
        [9, 10, 11, 12, 99],
        [0, 0, 0.5, 1, 1],
        attributes={
            "ModalityLUTSequence": lut(10, [0, 50, 100], 16),
            "WindowCenter": 50.5,
            "WindowWidth": 101,
        },
    ),
    Case(
        "VOI LUT: PS3.3 C.11.2.1.1",
        [0, 1, 2, 3, 4],
        [0, 0, 0.2, 1, 1],
        attributes={"VOILUTSequence": lut(1, [0, 51, 255], 8)},
    ),
    Case(
        "the VOI LUT goes before the window",
        [0, 1],
        [0, 1],
        attributes={**WINDOW, "VOILUTSequence": lut(0, [0, 1023], 10)},
    ),
    Case(
        "0 entries are 65536",
        [0, 32768, 65535],
        [1, 32767 / 65535, 0],
        attributes={"VOILUTSequence": lut(0, list(range(65535, -1, -1)), 16)},
    ),
    Case(
        "the first value mapped is negative if inputs can be",
        [-2, -1, 0],
        [0, 0.2, 1],
        "<i2",
        {"VOILUTSequence": lut(-2, [0, 51, 255], 8, vr="SS")},
    ),
    Case(
        "the first value mapped is above 32767 if inputs are unsigned",
        [40000, 40001, 40002],
        [0, 0.2, 1],
        attributes={"VOILUTSequence": lut(40000, [0, 51, 255], 8)},
    ),
    Case(
        "LUT entries of 8 bits, two in a word",
        [0, 1, 2, 3],
        [0, 0.2, 0.4, 1],
        attributes={"VOILUTSequence": byte_lut(0, [0, 51, 102, 255])},
    ),
    Case(
        "LUT entries larger than their bits",
        [0, 1, 2],
        [0, 1000 / 4095, 1],
        attributes={"VOILUTSequence": lut(0, [0, 1000, 4095], 10)},
    ),
    Case(
        "a LUT shorter than it says",
        [0, 1, 2, 9],
        [0, 51 / 255, 1, 1],
        attributes={"VOILUTSequence": lut(0, [0, 51, 255], 8, count=10)},
    ),
]


def write(
    path: Path,
    stored: NDArray[Any],
    attributes: dict[str, Any] | None = None,
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    bits = 8 * stored.dtype.itemsize
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    for keyword, value in (attributes or {}).items():
        if keyword == "overlay":
            ds.add_new(0x60000102, "US", value)
        else:
            setattr(ds, keyword, value)
    data = stored.tobytes()
    ds.add_new("PixelData", "OB" if bits == 8 else "OW", data + bytes(len(data) % 2))
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_table(tmp_path: Path, case: Case) -> None:
    stored = np.array([case.stored], dtype=case.dtype)
    path = write(tmp_path / "image.dcm", stored, case.attributes, case.syntax)

    pixels = read_pixels(path)

    assert pixels.shape == (1, len(case.stored))
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    np.testing.assert_allclose(pixels[0], case.expected, atol=EXACT)


def test_bytes_in_big_endian_words_change_places(tmp_path: Path) -> None:
    path = write(tmp_path / "image.dcm", np.array([[1, 0, 3, 2]], "u1"), None, ExplicitVRBigEndian)
    content = path.read_bytes().replace(b"\x7f\xe0\0\x10OB", b"\x7f\xe0\0\x10OW")
    path.write_bytes(content)

    np.testing.assert_allclose(read_pixels(path)[0], [0, 1 / 3, 2 / 3, 1], atol=EXACT)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": 3}, "holds 12 bytes, but 3 x 3 pixels of 16 bits need 18, so 6 are missing"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"SamplesPerPixel": 3}, "3 samples per pixel"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "neither MONOCHROME1 nor MONOCHROME2"),
        ({"PhotometricInterpretation": None}, "neither MONOCHROME1 nor MONOCHROME2"),
        ({"BitsAllocated": 32}, "Bits Allocated .* is 32"),
        ({"BitsAllocated": None}, "Bits Allocated .* is missing"),
        ({"Columns": 0}, r"Columns \(0028,0011\) is missing or 0"),
        ({"Rows": 65535, "Columns": 65535}, "more than"),
    ],
)
def test_what_cannot_be_read_says_why(
    tmp_path: Path, attributes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "image.dcm", np.zeros((2, 3), "<u2"), attributes)
    with pytest.raises(DecodeError, match=message):
        read_pixels(path)


@pytest.mark.parametrize(
    "syntax",
    [
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.201",
        "1.2.840.10008.1.2.5",
    ],
)
def test_damaged_codestreams_name_their_transfer_syntax(tmp_path: Path, syntax: str) -> None:
    path = tmp_path / "image.dcm"
    content = write(path, np.zeros((2, 3), "u1")).read_bytes()
    content = content.replace(b"1.2.840.10008.1.2.1\0", syntax.encode()[:20].ljust(20, b"\0"))
    head, _ = content.split(b"\xe0\x7f\x10\0OB")
    fragments = b"\xfe\xff\0\xe0\0\0\0\0" + b"\xfe\xff\0\xe0\x08\0\0\0" + b"\xff\xd8damage"
    path.write_bytes(head + b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + fragments)
    if len(syntax) > 20:
        # The UID does not fit the space of the native one: rewrite the File Meta Information.
        path.write_bytes(with_syntax(path.read_bytes(), syntax))
    with pytest.raises(DecodeError, match=syntax.replace(".", r"\.")):
        read_pixels(path)


def with_syntax(content: bytes, syntax: str) -> bytes:
    value = syntax.encode() + bytes(len(syntax) % 2)
    meta = b"\2\0\x10\0UI" + len(value).to_bytes(2, "little") + value
    return bytes(128) + b"DICM" + meta + content[content.index(b"\x08\0\x16\0UI") :]


def test_an_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "image.dcm", np.zeros((2, 3), "u1"))
    path.write_bytes(with_syntax(path.read_bytes(), "1.2.840.99999.1"))
    with pytest.raises(DecodeError, match=r"1\.2\.840\.99999\.1 cannot be decoded here"):
        read_pixels(path)


def test_no_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "image.dcm", np.zeros((0, 3), "<u2"))
    with pytest.raises(NoPixelDataError):
        read_pixels(path)


def test_what_is_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(b"GIF89a")
    with pytest.raises(DecodeError, match="not DICOM"):
        read_pixels(path)


def film(test_data: Path, name: str, encoding: str) -> Path:
    folder = test_data / "dicom" / "dicom-test-files" / "data" / "WG04" / encoding
    other = test_data / "dicom" / "pydicom-data" / "data_store" / "data"
    path = folder / f"{name}_{encoding}"
    return path if path.exists() else other / f"{name}_{encoding}.dcm"


FILMS = ["RG2", "RG3"]  # a hip in MONOCHROME2, an extremity in MONOCHROME1


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("encoding", ["J2KR", "JLSL", "JPLL"])
def test_a_film_is_the_same_in_every_lossless_encoding(
    test_data: Path, name: str, encoding: str
) -> None:
    expected = read_pixels(film(test_data, name, "RLE"))

    np.testing.assert_array_equal(read_pixels(film(test_data, name, encoding)), expected)


# Measured, largest and mean difference of brightness: JPEG 2000 at a high ratio smooths the edges
# of the label of RG2, and so does 12-bit JPEG; near-lossless JPEG-LS is off by 4 of 1023 at most,
# which its NEAR bounds.
@pytest.mark.parametrize(
    ("name", "encoding", "largest", "mean"),
    [
        ("RG2", "J2KI", 0.09, 0.0015),
        ("RG3", "J2KI", 0.01, 0.001),
        ("RG2", "JLSN", 0.004, 0.0025),
        ("RG3", "JLSN", 0.004, 0.0015),
        ("RG2", "JPLY", 0.1, 0.004),
        ("RG3", "JPLY", 0.05, 0.0015),
    ],
)
def test_a_film_is_nearly_the_same_in_lossy_encodings(
    test_data: Path, name: str, encoding: str, largest: float, mean: float
) -> None:
    expected = read_pixels(film(test_data, name, "RLE"))

    difference = np.abs(read_pixels(film(test_data, name, encoding)) - expected)

    assert difference.max() <= largest
    assert difference.mean() <= mean


@pytest.mark.parametrize("name", FILMS)
def test_a_film_in_jpeg_2000_is_nearly_the_same_at_half_its_size(
    test_data: Path, name: str
) -> None:
    whole = read_pixels(film(test_data, name, "J2KR"))
    half = read_pixels(film(test_data, name, "J2KR"), least_side=max(whole.shape) // 2)

    assert half.shape == tuple((side + 1) // 2 for side in whole.shape)
    rows, columns = (side // 2 * 2 for side in whole.shape)
    pairs = whole[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3))
    difference = np.abs(half[: rows // 2, : columns // 2] - pairs)
    assert difference.mean() < 0.005


def test_a_film_is_not_reduced_below_what_is_needed(test_data: Path) -> None:
    path = film(test_data, "RG3", "J2KR")
    whole = read_pixels(path)
    np.testing.assert_array_equal(read_pixels(path, least_side=max(whole.shape) // 2 + 1), whole)
    np.testing.assert_array_equal(
        read_pixels(film(test_data, "RG3", "JPLL"), least_side=100), whole
    )


@pytest.mark.parametrize("change", ["padded", "signed"])
def test_what_would_not_be_the_same_picture_is_decoded_whole(
    test_data: Path, tmp_path: Path, change: str
) -> None:
    ds = pydicom.dcmread(film(test_data, "RG3", "J2KR"))
    if change == "padded":
        ds.add_new(0x00280120, "US", 0)
    else:
        ds.PixelRepresentation = 1
    path = tmp_path / "film.dcm"
    ds.save_as(path)
    assert read_pixels(path, least_side=200).shape == (ds.Rows, ds.Columns)


def test_a_film_is_halved_no_more_often_than_it_has_levels(test_data: Path) -> None:
    assert read_pixels(film(test_data, "RG3", "J2KR"), least_side=1).shape == (55, 55)


def test_a_damaged_film_is_not_taken_for_a_small_one(test_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(film(test_data, "RG3", "J2KR").read_bytes()[:-200_000])
    with pytest.raises(DecodeError):
        read_pixels(path, least_side=200)


@pytest.mark.parametrize(
    ("encoding", "size"),
    [
        ("JPLL", b"\x06\xe0\x06\xe0\x01"),
        ("JLSL", b"\x06\xe0\x06\xe0\x01"),
        ("J2KI", b"\0\0\x06\xe0\0\0\x06\xe0"),
    ],
)
def test_a_codestream_that_asks_for_gigabytes_is_not_decoded(
    test_data: Path, tmp_path: Path, encoding: str, size: bytes
) -> None:
    content = film(test_data, "RG3", encoding).read_bytes()
    path = tmp_path / "image.dcm"
    path.write_bytes(content.replace(size, size.replace(b"\x06\xe0", b"\xff\xff"), 1))
    with pytest.raises(DecodeError, match="says that it has 65535 x 65535 pixels"):
        read_pixels(path)


def test_agrees_with_pydicom_on_real_files(test_data: Path) -> None:
    compared = 0
    for path in sorted((test_data / "dicom").rglob("*")):
        if not path.is_file() or "WG04" in path.parts:
            continue
        try:
            pixels = read_pixels(path)
        except PixelError:
            continue
        if path.name in WITHOUT_SECOND_OPINION:
            continue
        np.testing.assert_allclose(pixels, as_pydicom_shows(path), atol=1e-5, err_msg=path.name)
        compared += 1
    assert compared > 90


# 12-bit JPEG Extended, for which pydicom finds no decoder here.
WITHOUT_SECOND_OPINION = {"JPEG-lossy.dcm", "JPGExtended.dcm", "MG1_JPLY", "XA1_JPLY"}


def as_pydicom_shows(path: Path) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        # pydicom warns of what is odd in these files; that it reads them is what counts here.
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path, force=True)
        stored = ds.pixel_array
        padding = stored == ds.get("PixelPaddingValue", stored.min() - 1.0)
        shown = apply_voi_lut(apply_modality_lut(stored, ds), ds).astype(np.float64)
        low, high = output_range(ds, shown[~padding])
    shown = np.clip((shown - low) / ((high - low) or 1.0), 0.0, 1.0)
    shown = 1.0 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown
    return np.where(padding, 0.0, shown)


def output_range(ds: Dataset, values: NDArray[np.float64]) -> tuple[float, float]:
    if ds.get("VOILUTSequence"):
        return 0.0, 2.0 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
    if ds.get("WindowWidth") is None:
        return float(values.min()), float(values.max())
    if ds.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    low = -(2.0 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0.0
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    return low * slope + intercept, (low + 2.0**ds.BitsStored - 1) * slope + intercept


def test_blank_and_saturated() -> None:
    noise = np.random.default_rng(0).normal(0.4, 0.002, (600, 500)).astype(np.float32)
    marked = noise.copy()
    marked[:40, :40] = 1.0
    threshold = np.zeros((600, 500), np.float32)
    threshold[:300] = 1.0
    half_white = np.ones((600, 500), np.float32)
    half_white[:300] = np.linspace(0.2, 0.8, 500, dtype=np.float32)
    nearly_white = np.ones((600, 500), np.float32)
    nearly_white[:30] = half_white[:30]

    assert "blank" in str(blank_or_saturated(measure_quality(noise)))
    assert "blank" in str(blank_or_saturated(measure_quality(marked)))
    assert "blank" in str(blank_or_saturated(measure_quality(np.zeros((5, 5), np.float32))))
    assert "saturated" in str(blank_or_saturated(measure_quality(threshold)))
    assert "saturated" in str(blank_or_saturated(measure_quality(nearly_white)))
    assert blank_or_saturated(measure_quality(half_white)) is None


def test_real_films_are_neither(test_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with (test_data / "fracatlas" / "index.csv").open() as table:
        paths = [row["path"] for row in csv.DictReader(table)]
    hit = []
    for path in random.Random(0).sample(paths, 300):
        with Image.open(test_data / "fracatlas" / path) as image:
            pixels = np.asarray(image.convert("L"), np.float32) / 255
        if blank_or_saturated(measure_quality(pixels)):
            hit.append(path)
    for name in FILMS:
        assert (
            blank_or_saturated(measure_quality(read_pixels(film(test_data, name, "RLE")))) is None
        )
    assert hit == []


@pytest.mark.parametrize("trailing", [b"", b"\0", b"\xff", b" \r\n", b"\0" * 200])
def test_bytes_after_the_end_of_a_jpeg_frame_do_no_harm(
    test_data: Path, tmp_path: Path, trailing: bytes
) -> None:
    ds = pydicom.dcmread(film(test_data, "RG3", "JPLL"))
    frame = pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1).rstrip(b"\0\xff")
    ds.PixelData = pydicom.encaps.encapsulate([frame.removesuffix(b"\xd9") + b"\xd9" + trailing])
    path = tmp_path / "film.dcm"
    ds.save_as(path)
    expected = read_pixels(film(test_data, "RG3", "RLE"))
    np.testing.assert_array_equal(read_pixels(path), expected)


@pytest.mark.parametrize("length", [1000, -100, -2])
def test_a_jpeg_frame_that_breaks_off_is_damaged(
    test_data: Path, tmp_path: Path, length: int
) -> None:
    ds = pydicom.dcmread(film(test_data, "RG3", "JPLL"))
    frame = pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1).rstrip(b"\0\xff")
    ds.PixelData = pydicom.encaps.encapsulate([frame[:length]])
    path = tmp_path / "film.dcm"
    ds.save_as(path)
    with pytest.raises(DecodeError, match=r"4\.70.*break off"):
        read_pixels(path)


@pytest.mark.parametrize("encoding", ["JPLL", "J2KR"])
def test_a_header_that_promises_fewer_bits_than_the_frame_has_is_refused(
    test_data: Path, tmp_path: Path, encoding: str
) -> None:
    ds = pydicom.dcmread(film(test_data, "RG3", encoding))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    path = tmp_path / "film.dcm"
    ds.save_as(path)
    with pytest.raises(DecodeError, match="10 bits"):
        read_pixels(path)


@pytest.mark.parametrize("size", [(1001, 803), (1000, 800), (1003, 999), (1025, 1026)])
def test_every_size_of_jpeg_2000_can_be_halved(size: tuple[int, int]) -> None:
    rows, columns = size
    grey = np.add.outer(np.arange(rows), np.arange(columns)) % 251
    file = io.BytesIO()
    PIL.Image.fromarray(grey.astype(np.uint8)).save(file, "JPEG2000", irreversible=False)
    image = ImagePixel(rows, columns, 8, 8, 7, False, "MONOCHROME2")
    words = decode_reduced(file.getvalue(), image, 200)
    assert words is not None
    assert 200 <= max(words.shape) <= 520


def test_the_size_is_looked_for_behind_a_short_first_fragment(
    test_data: Path, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(film(test_data, "RG3", "J2KR"))
    frame = pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = pydicom.encaps.encapsulate([frame], fragments_per_frame=2)
    ds.Rows = ds.Rows - 100
    path = tmp_path / "film.dcm"
    ds.save_as(path)
    with pytest.raises(DecodeError, match="the header"):
        read_pixels(path, least_side=100)


def test_rle_that_makes_its_decoder_panic_is_damaged(tmp_path: Path) -> None:
    """The decoder is in Rust: its panic is no Exception, and would end the process."""
    (ds,) = small_study(1, 1)
    ds.compress(RLELossless)
    path = tmp_path / "damaged.dcm"
    save(ds, path)
    whole = path.read_bytes()
    refused = 0
    for seed in range(30):
        third = len(whole) // 3
        noise = np.random.default_rng(seed).integers(0, 256, third, dtype=np.uint8).tobytes()
        path.write_bytes(whole[:third] + noise + whole[2 * third :])
        try:
            read_pixels(path)
        except DecodeError as error:
            assert "damaged" in str(error)  # noqa: PT017 - it may also decode to noise
            refused += 1
    assert refused > 0
