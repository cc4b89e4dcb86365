"""A JPEG or PNG file as the grey pixels it shows.

Messages of the errors name no file, since file names often hold a patient's: the caller, who knows
the file, says which it was.
"""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.errors import DecodeError, PixelError

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 64_000_000
"""Of one picture: more than three times the largest detectors, of 43 cm at 0.1 mm."""

_COLOURED = 32
"""Spread of a pixel's channels, of 255, from which it counts as coloured. JPEG's chroma stays below
a few; tinted film and yellowed scans stay below this."""

_MOST_COLOURED = 0.1
"""Share of coloured pixels that markers and annotations may take."""

_ORIENTATION = 0x0112
"""The EXIF tag of how the picture is to be turned."""

# Pillow has one switch for accepting truncated files, for the whole process.
_TRUNCATED_ALLOWED = threading.Lock()

Grey = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Picture:
    """The pixels of a picture file, and what must be said of them.

    Attributes
    ----------
    pixels
        Shape (rows, columns), uint8 or uint16, upright.
    compression
        ``JPEG`` or ``PNG``.
    digest
        SHA-256 of the file, as hexadecimal digits.
    size
        Of the file in bytes.
    notes
        For a person: what was done to the picture, or what is wrong with it.
    """

    pixels: Grey
    compression: str
    digest: str
    size: int
    notes: tuple[str, ...]


def read_picture(source: Path) -> Picture:
    """Read a JPEG or PNG as grey pixels.

    Raises
    ------
    DecodeError
        The file is no JPEG or PNG, or is damaged beyond decoding.
    PixelError
        The picture is coloured, animated, or too large.
    OSError
        The file cannot be read.
    """
    content = source.read_bytes()
    image, compression = _opened(content)
    pixels, notes = _loaded(image, content)
    return Picture(pixels, compression, hashlib.sha256(content).hexdigest(), len(content), notes)


def _opened(content: bytes) -> tuple[Image.Image, str]:
    """Return the picture, its pixels not yet decoded, and its format."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large() from None
    except Exception:
        # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and more.
        raise DecodeError(
            "not a JPEG or PNG file, or its beginning is damaged; export the picture again as "
            "JPEG or PNG, or send the original DICOM file"
        ) from None
    if image.width * image.height > MOST_PIXELS or max(image.size) > 0xFFFF:
        raise _too_large()
    if getattr(image, "n_frames", 1) > 1:
        raise PixelError(
            f"the file holds {getattr(image, 'n_frames', 1)} pictures; save each as a file of its "
            "own and wrap those that are radiographs"
        )
    return image, "PNG" if image.format == "PNG" else "JPEG"


def _too_large() -> PixelError:
    return PixelError(
        f"the picture has more than {MOST_PIXELS // 1_000_000} million pixels or a side over "
        "65535, more than any radiograph; reduce it, or send the original DICOM file"
    )


def _loaded(image: Image.Image, content: bytes) -> tuple[Grey, tuple[str, ...]]:
    """Return the decoded pixels, and notes on what was done to them."""
    try:
        image.load()
        return _grey(image)
    except PixelError:
        raise
    except Exception:
        # A broken file does not say so in one way: OSError, SyntaxError, zlib.error, EOFError.
        pixels, notes = _loaded_as_far_as_it_goes(content)
    return pixels, ("The file is truncated or damaged: a part of the picture is missing.", *notes)


def _loaded_as_far_as_it_goes(content: bytes) -> tuple[Grey, tuple[str, ...]]:
    from PIL import ImageFile

    image, _ = _opened(content)
    with _TRUNCATED_ALLOWED:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            image.load()
        except Exception:
            raise DecodeError(
                "the picture is damaged and no part of it can be decoded; export it again, or "
                "send the original DICOM file"
            ) from None
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    return _grey(image)


def _grey(image: Image.Image) -> tuple[Grey, tuple[str, ...]]:
    """Return a decoded picture upright and grey, and notes on what was done."""
    upright, notes = _upright(image)
    if upright.mode.startswith("I"):
        return _sixteen_bits(upright), tuple(notes)
    if upright.mode in ("L", "1"):
        return np.asarray(upright.convert("L")), tuple(notes)
    colour = _without_alpha(upright)
    _refuse_coloured(np.asarray(colour))
    if upright.mode != "LA":
        notes.append(f"Grey values are the luminance of a picture in mode {upright.mode}.")
    return np.asarray(colour.convert("L")), tuple(notes)


def _upright(image: Image.Image) -> tuple[Image.Image, list[str]]:
    from PIL import ImageOps

    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image, []
        return ImageOps.exif_transpose(image), ["Turned as its EXIF orientation asks."]
    except Exception:
        # EXIF is written by any device and any editor; the pixels do not depend on it.
        return image, ["Its EXIF cannot be read: it may lie on its side."]


def _sixteen_bits(image: Image.Image) -> NDArray[np.uint16]:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise PixelError("the picture has more than 16 bits; export it with 8 or 16 bits of grey")
    return values.astype(np.uint16)


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, what is transparent over black."""
    from PIL import Image

    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    opaque = Image.new("RGBA", image.size, (0, 0, 0, 255))
    opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("RGB")


def _refuse_coloured(pixels: NDArray[np.uint8]) -> None:
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    if float((spread > _COLOURED).mean()) > _MOST_COLOURED:
        raise PixelError(
            "the picture is in colour, so it is no radiograph; if it is a photograph of a film, "
            "save it in grey and wrap that"
        )
