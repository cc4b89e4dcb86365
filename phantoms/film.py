"""From a picture to what a CR or DX device stores: codes, and how they are to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from phantoms.attenuation import FloatArray

Codes = npt.NDArray[np.uint16]
Photometric = Literal["MONOCHROME1", "MONOCHROME2"]


@dataclass(frozen=True, slots=True)
class Film:
    """How a device stores its radiographs.

    Attributes
    ----------
    modality
        ``CR`` or ``DX``.
    bits_stored
        From 10 to 16, in 16 bits allocated.
    voi
        What goes with the pixels: a ``window``, a ``lut``, or nothing (``none``).
    rescale
        Rescale Slope and Rescale Intercept. DX allows none but 1 and 0 (PS3.3 C.8.11.3.1.2).
    padded
        Whether the shutter's black is declared as Pixel Padding Value (PS3.3 C.7.5.1.1.2).
    """

    modality: Literal["CR", "DX"] = "DX"
    photometric: Photometric = "MONOCHROME2"
    bits_stored: int = 12
    voi: Literal["window", "lut", "none"] = "window"
    rescale: tuple[float, float] = (1.0, 0.0)
    padded: bool = False

    @property
    def used(self) -> tuple[int, int]:
        """The lowest and the highest code that tissue takes; a picture fills less than all."""
        top = (1 << self.bits_stored) - 1
        return (0, top) if self.voi == "none" else (round(0.08 * top), round(0.85 * top))


def codes_of(picture: FloatArray, film: Film) -> Codes:
    """Return the stored values of a picture.

    Parameters
    ----------
    picture
        Shape (rows, columns), in [0, 1], bright where tissue is dense.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns), uint16, below ``2 ** film.bits_stored``.
    """
    low, high = film.used
    codes: Codes = np.rint(picture * np.float32(high - low) + np.float32(low)).astype(np.uint16)
    if film.padded:
        codes[picture == 0] = 0
    if film.photometric == "MONOCHROME1":
        codes = np.uint16((1 << film.bits_stored) - 1) - codes
    return codes


def picture_elements(film: Film) -> Dataset:
    """Return the elements that say how the codes are to be shown.

    They follow the Image Pixel (PS3.3 C.7.6.3), DX Image (C.8.11.3), Modality LUT (C.11.1) and
    VOI LUT (C.11.2) modules.
    """
    ds = Dataset()
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = film.photometric
    ds.BitsAllocated = 16
    ds.BitsStored = film.bits_stored
    ds.HighBit = film.bits_stored - 1
    ds.PixelRepresentation = 0
    if film.padded:
        ds.PixelPaddingValue = (
            0 if film.photometric == "MONOCHROME2" else (1 << film.bits_stored) - 1
        )
    if film.modality == "DX" or film.rescale != (1.0, 0.0):
        slope, intercept = film.rescale
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = f"{slope:g}", f"{intercept:g}", "US"
    if film.voi == "window":
        _add_window(ds, film)
    elif film.voi == "lut":
        ds.VOILUTSequence = [_curve(film)]
    return ds


def _shown_codes(film: Film) -> tuple[int, int]:
    low, high = film.used
    if film.photometric == "MONOCHROME1":
        top = (1 << film.bits_stored) - 1
        return top - high, top - low
    return low, high


def _add_window(ds: Dataset, film: Film) -> None:
    slope, intercept = film.rescale
    low, high = (slope * code + intercept for code in _shown_codes(film))
    ds.WindowCenter = f"{(low + high) / 2 + 0.5:g}"
    ds.WindowWidth = f"{high - low + 1:g}"
    ds.WindowCenterWidthExplanation = "BONE"


def _curve(film: Film) -> Dataset:
    """Return a VOI LUT, steepest in the middle, as processing stations make them.

    A VOI LUT of an image has entries of 8 or 16 bits (PS3.3 C.11.2.1.1), a DX image's may have any
    number between.
    """
    low, high = _shown_codes(film)
    steps = np.linspace(-1.0, 1.0, high - low + 1)
    curve = np.tanh(1.3 * steps)
    bits = 12 if film.modality == "DX" else 16
    shades = np.rint(((1 << bits) - 1) * (curve - curve[0]) / (curve[-1] - curve[0])).astype("<u2")
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(shades), low, bits])
    item.LUTExplanation = "BONE"
    item.add_new("LUTData", "OW", shades.tobytes())
    return item
