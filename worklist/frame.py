"""What a process that decodes for the browser does: bytes that nobody trusts yet stay in there."""

from __future__ import annotations

import io
import json
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from screening.archive.incoming_file import content_digest
from screening.dicom.display import Display, read_display
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.dicom.pixels import read_pixels
from screening.dicom.window import Window
from screening.errors import HeaderError, PixelError

_Read = TypeVar("_Read")


class UnshowableError(PixelError):
    """An image cannot be shown; the message says why, without patient data."""


def begin(parent: int, most_bytes: int) -> None:
    """End with the process that started this one, and stay below so much memory of our own."""
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def _follow(parent: int) -> None:
    """Ask, and let no signal tell: the kernel's comes when the thread ends that started us."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def import_decoders() -> None:
    """Import what decoding needs, so that the first image does not wait for it."""
    from PIL import Image  # noqa: F401

    from screening.dicom.frame import installed_decoders

    installed_decoders()


def frame_bytes(path: Path) -> bytes:
    """Return a frame for the viewer, every bit of it.

    Returns
    -------
    bytes
        The length of the description in 4 bytes, little endian; the description, JSON in UTF-8,
        padded with blanks to a multiple of 4; the words, uint16, little endian, row by row.

    Raises
    ------
    UnshowableError
        If there is none, or it cannot be decoded.
    """
    display = _shown(path, lambda: read_display(path))
    try:
        text = json.dumps(_description(display), allow_nan=False).encode()
    except ValueError:
        raise UnshowableError("its rescale or window is no finite number") from None
    text = text.ljust(-(-len(text) // 4) * 4)
    return len(text).to_bytes(4, "little") + text + display.words.tobytes()


def picture_bytes(path: Path, longer_side: int) -> bytes:
    """Return a frame as PNG of 8 bits, in the sense in which it is displayed.

    Raises
    ------
    UnshowableError
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
        if not _is_as_it_came(path):
            raise UnshowableError("its file is not what came: restore the archive")
        return read()
    except PixelError as error:
        raise UnshowableError(str(error)) from None
    except FileNotFoundError:
        raise UnshowableError("its file is not in the archive any more") from None
    except OSError as error:
        raise UnshowableError(f"its file cannot be read: {error.strerror}") from None
    except MemoryError:
        raise UnshowableError("it needs more memory than NIGHTREAD_READ_GIGABYTES") from None


def _is_as_it_came(path: Path) -> bool:
    """Say whether a file of the archive holds what its name says: no other image's pixels."""
    try:
        syntax = read_header(path).transfer_syntax_uid
        offset = data_set_offset(path)
    except HeaderError:
        return False
    return content_digest(path, offset=offset, transfer_syntax_uid=syntax) == path.stem


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
