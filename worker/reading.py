"""One image from its file to the network's input: what is done with bytes that nobody trusts yet.

It runs in a process of its own (``reader``), since a decoder may crash, hang or ask for all memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.input_settings import InputSettings
from models.transforms import Preparation, PreparedImage
from screening.dicom.eligibility import exclusion_of
from screening.dicom.header import read_header
from screening.dicom.pixels import read_pixels
from screening.dicom.quality import blank_or_saturated, measure_quality
from screening.domain.quality import Quality
from screening.domain.reason import Exclusion, Reason
from screening.errors import NightreadError, NoPixelDataError, PixelError

SPARE = 1.2
"""How many times the network's side a reduced image has at the least: below it the two filters'
sizes come too close, and logits move by more than half."""


@dataclass(frozen=True, slots=True)
class Request:
    """Which image to read.

    Attributes
    ----------
    path
        Of its file.
    sop_class_uid, sop_instance_uid
        As the sender named them.
    exact
        Whether every pixel is to be decoded, where fewer would do for a first look.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """An image as the classifier takes it and, where there is a shadow, as the shadow does.

    Attributes
    ----------
    image
        For the classifier.
    quality
        Of the image.
    reduced
        Whether it was decoded at a fraction of its resolution.
    shadow
        For the shadow, or why there is none for it.
    """

    image: PreparedImage
    quality: Quality
    reduced: bool = False
    shadow: PreparedImage | Exclusion | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """An image that is not to be scored, and its quality where it could be seen."""

    exclusion: Exclusion
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that failed in this attempt, in words without patient data.

    It does not count as an attempt at the image where the machine was at fault.
    """

    error: str
    counts: bool = True


Reading = Ready | Excluded | Failed


class Desk:
    """Reads images for a classifier and its shadow.

    Parameters
    ----------
    inputs
        What the classifier sees and, where there is a shadow, what that sees.
    minimum_age_years
        Younger patients are not scored.
    """

    def __init__(self, inputs: Sequence[InputSettings], minimum_age_years: float) -> None:
        self._preparation, *self._shadows = [Preparation.of(each) for each in inputs]
        self._least_side = round(SPARE * max(each.size for each in inputs))
        self._minimum_age_years = minimum_age_years

    def read(self, request: Request) -> Reading:
        """Bring one image to the networks' inputs, or say why it has none."""
        try:
            return self._read(request)
        except NoPixelDataError as error:
            return Excluded(Exclusion(Reason.NO_PIXEL_DATA, str(error)))
        except PixelError as error:  # damaged, or nothing that could be seen
            return Excluded(Exclusion(Reason.CANNOT_DECODE, str(error)))
        except Exception as error:
            if isinstance(error, MemoryError) or "allocate memory" in str(error):  # torch's words
                return Failed("it needs more memory than NIGHTREAD_READ_GIGABYTES while reading")
            # Our own messages hold no patient data; a library's may quote the header that it read.
            said = str(error) if isinstance(error, NightreadError) else type(error).__name__
            return Failed(f"{said} while reading")

    def _read(self, request: Request) -> Reading:
        header = read_header(
            request.path,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
        )
        exclusion = exclusion_of(header, minimum_age_years=self._minimum_age_years)
        if exclusion is not None:
            return Excluded(exclusion)
        pixels = read_pixels(request.path, None if request.exact else self._least_side)
        longer_side = max(header.rows or 0, header.columns or 0)
        quality = measure_quality(pixels, longer_side)
        flat = blank_or_saturated(quality)
        if flat is not None and max(pixels.shape) < longer_side:
            # A reason not to score an image is not given on a part of its pixels.
            pixels = read_pixels(request.path)
            quality = measure_quality(pixels, longer_side)
            flat = blank_or_saturated(quality)
        if flat is not None:
            return Excluded(Exclusion(Reason.BLANK_OR_SATURATED, flat), quality)
        reduced = max(pixels.shape) < longer_side
        return Ready(self._preparation(pixels), quality, reduced, self._for_shadow(pixels))

    def _for_shadow(self, pixels: NDArray[np.float32]) -> PreparedImage | Exclusion | None:
        if not self._shadows:
            return None
        try:
            return self._shadows[0](pixels)
        except Exception as error:
            # The image is the first classifier's, whatever its shadow makes of it.
            return Exclusion(Reason.ERROR, type(error).__name__)
