"""What the browser is shown of an image; made in a process of its own: nobody trusts the bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from screening.dicom.display import Display, read_display
from screening.dicom.intact import require_intact
from screening.dicom.pixels import read_pixels
from screening.dicom.window import Window
from screening.errors import PixelError

_Read = TypeVar("_Read")


def frame_bytes(path: Path) -> bytes:
    """Return a frame for the viewer, every bit of it.

    Returns
    -------
    bytes
        The length of the description in 4 bytes, little endian; the description, JSON in UTF-8,
        padded with blanks to a multiple of 4; the words, uint16, little endian, row by row.

    Raises
    ------
    PixelError
        If there is none, or it cannot be decoded.
    """
    display = _shown(path, lambda: read_display(path))
    try:
        text = json.dumps(_description(display), allow_nan=False).encode()
    except ValueError:
        raise PixelError("its rescale or window is no finite number") from None
    text = text.ljust(-(-len(text) // 4) * 4)
    return len(text).to_bytes(4, "little") + text + display.words.tobytes()


def picture_bytes(path: Path, longer_side: int) -> bytes:
    """Return a frame as PNG of 8 bits, in the sense in which it is displayed.

    Raises
    ------
    PixelError
        If there is none, or it cannot be decoded.
    """
    from PIL import Image

    pixels = _shown(path, lambda: read_pixels(path, longer_side))
    picture = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    picture.thumbnail((longer_side, longer_side), Image.Resampling.BOX)
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=1)
    return written.getvalue()


def _shown(path: Path, read: Callable[[], _Read]) -> _Read:
    try:
        require_intact(path)
        return read()
    except FileNotFoundError:
        raise PixelError("its file is not in the archive any more") from None
    except OSError as error:
        raise PixelError(f"its file cannot be read: {error.strerror}") from None
    except MemoryError:
        raise PixelError("it needs more memory than NIGHTREAD_READ_GIGABYTES") from None


def _description(display: Display) -> dict[str, Any]:
    rows, columns = display.words.shape
    lut = display.voi_lut
    spacing = display.spacing
    return {
        "rows": rows,
        "columns": columns,
        "slope": display.slope,
        "intercept": display.intercept,
        "windows": [{"name": name, **_window(each)} for name, each in display.windows],
        "voi_lut": lut
        and {
            "first": lut.first,
            "highest": (1 << lut.bits) - 1,
            "entries": [int(entry) for entry in lut.entries],
        },
        "lowest": display.shown[0],
        "highest": display.shown[1],
        "inverted": display.inverted,
        "padding": display.padding,
        "spacing": spacing
        and {
            "row": spacing.row,
            "column": spacing.column,
            "at_detector": spacing.at_detector,
        },
    }


def _window(window: Window) -> dict[str, Any]:
    return {"center": window.center, "width": window.width, "function": window.function}
