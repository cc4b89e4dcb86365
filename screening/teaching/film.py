"""What is read of an original: values of known meaning, and the tags of all else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from screening.dicom.data_set import DataSet, open_data_set
from screening.dicom.display import IMAGER_PIXEL_SPACING, PIXEL_SPACING
from screening.dicom.frame import stored_words
from screening.dicom.grayscale import GRAYSCALE_TAGS, Grayscale, grayscale
from screening.dicom.header import read_header
from screening.dicom.image_pixel import IMAGE_PIXEL_TAGS, ImagePixel, image_pixel
from screening.dicom.values import parse_number
from screening.domain.instance import InstanceHeader
from screening.errors import NoPixelDataError

_PATIENT_ORIENTATION = 0x00200020
_BURNED_IN_ANNOTATION = 0x00280301
_LOSSY_IMAGE_COMPRESSION = 0x00282110
_PIXEL_INTENSITY_RELATIONSHIP = 0x00281040

_TAGS = frozenset(
    (
        *IMAGE_PIXEL_TAGS,
        *GRAYSCALE_TAGS,
        IMAGER_PIXEL_SPACING,
        PIXEL_SPACING,
        _PATIENT_ORIENTATION,
        _BURNED_IN_ANNOTATION,
        _LOSSY_IMAGE_COMPRESSION,
        _PIXEL_INTENSITY_RELATIONSHIP,
    )
)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True, slots=True)
class Film:
    """One grey frame and what is needed to show and to describe it.

    Attributes
    ----------
    values
        int32 (rows, columns): pixel values alone. What lies in unused bits of the words, in
        segments of a codestream or behind the last pixel has no part in them.
    spacing, detector_spacing
        Between rows and between columns, in mm; ``None`` where not said.
    orientation
        Patient Orientation: where rows and columns point to, by letters; empty where not said.
    annotation, lossy, relationship
        Burned In Annotation, Lossy Image Compression and Pixel Intensity Relationship as they
        stand, in capitals.
    """

    header: InstanceHeader
    image: ImagePixel
    gray: Grayscale
    values: NDArray[np.int32]
    spacing: tuple[float, float] | None
    detector_spacing: tuple[float, float] | None
    orientation: tuple[str, ...]
    annotation: str
    lossy: str
    relationship: str


def read_film(path: Path) -> Film:
    """Read an original.

    Raises
    ------
    HeaderError, NoPixelDataError, DecodeError, OSError
        As `read_header` and `screening.dicom.pixels.read_pixels` do.
    """
    header = read_header(path)
    with open_data_set(path, _TAGS) as data_set:
        if not data_set.has_pixels():
            raise NoPixelDataError("the data set has no Pixel Data, or nothing in it")
        image = image_pixel(data_set)
        gray = grayscale(data_set, image)
        words, image = stored_words(data_set, image)
        values = image.values_of_words(int(words.max()))[words]
        return Film(
            header,
            image,
            gray,
            values,
            _pair(data_set, PIXEL_SPACING),
            _pair(data_set, IMAGER_PIXEL_SPACING),
            _orientation(data_set),
            _word(data_set, _BURNED_IN_ANNOTATION),
            _word(data_set, _LOSSY_IMAGE_COMPRESSION),
            _word(data_set, _PIXEL_INTENSITY_RELATIONSHIP),
        )


def burned_in(path: Path) -> bool | None:
    """Say whether text is in the pixels; ``None`` where it may be and nobody says.

    A Secondary Capture (PS3.3 A.8) may be a screenshot, with a name on it. Other radiographs come
    from a detector, and are trusted unless they say that text was burnt in.
    """
    with open_data_set(path, frozenset({0x00080016, _BURNED_IN_ANNOTATION})) as data_set:
        said = _word(data_set, _BURNED_IN_ANNOTATION)
        sop_class = data_set.value(0x00080016, 128).decode("ascii", "replace").strip(" \0")
    if said in ("YES", "NO"):
        return said == "YES"
    return None if sop_class.startswith(_SECONDARY_CAPTURE) else False


def tags_of(path: Path) -> tuple[int, ...]:
    """Return the tags of the attributes of a file before its pixels, those of items left out."""
    return tuple(map(int, dcmread(path, stop_before_pixels=True, force=True).keys()))


def _word(data_set: DataSet, tag: int) -> str:
    value = data_set.value(tag, 64).decode("ascii", "replace")
    return value.split("\\")[0].strip(" \0").upper()


def _orientation(data_set: DataSet) -> tuple[str, ...]:
    """Return the two directions, PS3.3 C.7.6.1.1.1, in which nothing but their letters can be."""
    texts = data_set.value(_PATIENT_ORIENTATION, 64).decode("ascii", "replace").split("\\")
    found = tuple(text.strip(" \0").upper() for text in texts)
    legal = len(found) == 2 and all(re.fullmatch("[APLRHF]{1,3}", each) for each in found)
    return found if legal else ()


def _pair(data_set: DataSet, tag: int) -> tuple[float, float] | None:
    texts = data_set.value(tag, 128).decode("ascii", "replace").split("\\")
    numbers = [number for number in map(parse_number, texts) if number is not None and number > 0]
    return (numbers[0], numbers[1]) if len(texts) == len(numbers) == 2 else None
