"""The stored words of a frame, native or compressed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydicom import config
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from screening.dicom.codestream import codestream_precision, codestream_size
from screening.dicom.data_set import PIXEL_DATA, DataSet
from screening.dicom.elements import UNDEFINED, Element
from screening.dicom.image_pixel import ImagePixel
from screening.dicom.jpeg import can_decode_jpeg, decode_jpeg
from screening.dicom.jpeg2000 import decode_reduced
from screening.dicom.words import Words
from screening.errors import DecodeError, NoPixelDataError

_JPEG = (
    "1.2.840.10008.1.2.4.50",  # Baseline
    "1.2.840.10008.1.2.4.51",  # Extended, of 8 or 12 bits
    "1.2.840.10008.1.2.4.57",  # Lossless, Process 14
    "1.2.840.10008.1.2.4.70",  # Lossless SV1, the usual compression of CR and DX
)
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_RLE = "1.2.840.10008.1.2.5"

# One decoder for each other transfer syntax, all under permissive licences: left to choose, pydicom
# tries every one that is installed, and two machines may then see two images.
_PLUGINS = {
    "1.2.840.10008.1.2.4.80": "pyjpegls",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": "pyjpegls",  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90": "pylibjpeg",  # JPEG 2000 Lossless, by openjpeg
    "1.2.840.10008.1.2.4.91": "pylibjpeg",  # JPEG 2000
    "1.2.840.10008.1.2.4.201": "pylibjpeg",  # High-Throughput JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.202": "pylibjpeg",  # the same, RPCL
    "1.2.840.10008.1.2.4.203": "pylibjpeg",  # High-Throughput JPEG 2000
    _RLE: "pylibjpeg",
}

_NATIVE = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.113619.5.2",  # GE's implicit VR with big endian pixels
)
_CODESTREAM_HEADER = 65_536
"""Bytes, enough for the application segments that may come before the frame header."""

_BIG_ENDIAN_PIXELS = ("1.2.840.10008.1.2.2", "1.2.840.113619.5.2")


def transfer_syntax_name(uid: str) -> str:
    """Return a transfer syntax as a person reads it: its UID, and its name if it has one."""
    # Unless told to ignore it, pydicom warns of every UID that is not well formed.
    name = UID(uid[:64], validation_mode=config.IGNORE).name
    return uid[:64] if name == uid[:64] else f"{uid} ({name})"


def installed_decoders() -> dict[str, bool]:
    """Say of each compressed transfer syntax that we can read whether its decoder is installed."""
    return {uid: _is_installed(uid) for uid in (*_JPEG, *_PLUGINS)}


def _is_installed(syntax: str) -> bool:
    if syntax in _JPEG:
        return can_decode_jpeg()
    return _PLUGINS[syntax] in get_decoder(syntax).available_plugins


def stored_words(
    data_set: DataSet, image: ImagePixel, least_side: int | None = None
) -> tuple[Words, ImagePixel]:
    """Return the words of the frame, as unsigned integers, and how to read them.

    Parameters
    ----------
    data_set
        Found by `screening.dicom.elements.open_data_set`.
    image
        Its Image Pixel module.
    least_side
        The longer side that is needed at the least, where a smaller picture of the frame will do.

    Returns
    -------
    words : ndarray of uint8 or uint16, shape (rows, columns)
        Native words are a view into `data_set`, with its byte order. Of JPEG 2000 the frame halved,
        as often as `least_side` allows.
    image : ImagePixel
        As given, but with the high bit that a codec leaves: its samples end at bit 0.

    Raises
    ------
    NoPixelDataError
        There is no pixel data.
    DecodeError
        There are too few bytes, or the transfer syntax cannot be decoded here.
    """
    pixels = data_set.pixels
    if pixels is None:
        raise NoPixelDataError("the data set has no Pixel Data")
    if pixels.tag != PIXEL_DATA:
        raise DecodeError("the pixels are floating point numbers: radiographs store integers")
    syntax = data_set.transfer_syntax_uid
    if pixels.length != UNDEFINED and syntax in _NATIVE:
        return _native_words(data_set, pixels, image), image
    if pixels.length == UNDEFINED and syntax in _NATIVE:
        raise DecodeError(
            f"Pixel Data is compressed, although the transfer syntax is {syntax}: send it again"
        )
    words = _decoded_words(data_set, pixels, image, least_side)
    return words, image if syntax == _RLE else replace(image, high_bit=image.bits_stored - 1)


def _native_words(data_set: DataSet, pixels: Element, image: ImagePixel) -> Words:
    count = image.rows * image.columns
    needed = count * image.bits_allocated // 8
    held = min(pixels.length, len(data_set.data) - pixels.start)
    if held < needed:
        raise DecodeError(
            f"Pixel Data holds {held} bytes, but {image.rows} x {image.columns} pixels of "
            f"{image.bits_allocated} bits need {needed}, so {needed - held} are missing: send it "
            "again"
        )
    big = data_set.transfer_syntax_uid in _BIG_ENDIAN_PIXELS
    if image.bits_allocated == 16:
        dtype = ">u2" if big else "<u2"
        words = np.frombuffer(data_set.data, dtype=dtype, count=count, offset=pixels.start)
    elif big and pixels.vr == "OW" and held >= needed + needed % 2:
        # Two 8-bit pixels in each word of 16 bits, the first in its low byte (PS3.5 8.1.1).
        pairs = np.frombuffer(data_set.data, "u1", count=needed + needed % 2, offset=pixels.start)
        words = pairs.reshape(-1, 2)[:, ::-1].reshape(-1)[:count]
    else:
        words = np.frombuffer(data_set.data, dtype="u1", count=count, offset=pixels.start)
    return words.reshape(image.rows, image.columns)


def _decoded_words(
    data_set: DataSet, pixels: Element, image: ImagePixel, least_side: int | None
) -> Words:
    syntax = data_set.transfer_syntax_uid
    _require_decoder(syntax)
    encoded = data_set.data[pixels.start :]
    frame = _frame(encoded, syntax)
    _check_header(frame[:_CODESTREAM_HEADER], image)
    try:
        if syntax in _JPEG:
            return decode_jpeg(frame, image)
        if syntax in _JPEG_2000 and least_side is not None:
            reduced = decode_reduced(frame, image, least_side)
            if reduced is not None:
                return reduced
        array, _ = get_decoder(syntax).as_array(
            encoded,
            index=0,
            raw=True,
            validate=False,
            decoding_plugin=_PLUGINS[syntax],
            **_options(image),
        )
    except MemoryError:
        raise  # of this machine, and not of the image
    except (
        BaseException
    ) as error:  # Decoders raise whatever they like, of every kind, on damaged data.
        # What is no Exception ends the process on purpose, but for the panic of a library in Rust.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        own = isinstance(error, DecodeError)
        said = str(error) if own else f"the decoder gave up with {type(error).__name__}"
        raise DecodeError(
            f"the pixels are damaged, or are not {transfer_syntax_name(syntax)}: {said}, send the "
            "image again"
        ) from None
    return array.view(f"u{array.dtype.itemsize}")


def _frame(encoded: bytes, syntax: str) -> bytes:
    """Return the one frame, its fragments joined."""
    try:
        return get_frame(encoded, 0, number_of_frames=1)
    except Exception as error:
        raise DecodeError(
            f"the pixels are damaged, or are not {transfer_syntax_name(syntax)}: their fragments "
            f"cannot be told apart ({type(error).__name__}), send the image again"
        ) from None


def _check_header(codestream: bytes, image: ImagePixel) -> None:
    """Compare what the codestream says of itself with what the header says, before decoding."""
    size = codestream_size(codestream)
    if size not in (None, (image.rows, image.columns)):
        raise DecodeError(
            f"the compressed frame says that it has {size[0]} x {size[1]} pixels, the header "
            f"{image.rows} x {image.columns}: send the image again"
        )
    bits = codestream_precision(codestream)
    if bits is not None and bits > image.bits_allocated:
        raise DecodeError(
            f"the compressed frame says that it has {bits} bits, the header {image.bits_allocated}:"
            " send the image again"
        )


def _options(image: ImagePixel) -> dict[str, Any]:
    return {
        "rows": image.rows,
        "columns": image.columns,
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "bits_allocated": image.bits_allocated,
        "bits_stored": image.bits_stored,
        "pixel_representation": int(image.signed),
        "photometric_interpretation": image.photometric_interpretation,
        "pixel_keyword": "PixelData",
        # Unused bits are dealt with in `ImagePixel.values_of_words`, for all transfer syntaxes.
        "correct_unused_bits": False,
    }


def _require_decoder(syntax: str) -> None:
    """Say why a transfer syntax cannot be decoded, if it cannot."""
    known = syntax in _JPEG or syntax in _PLUGINS
    if known and _is_installed(syntax):
        return
    hint = "ask the sender for Explicit VR Little Endian or JPEG Lossless"
    if known:
        hint = "install the decoders with pip install 'nightread[worker]'"
    raise DecodeError(
        f"transfer syntax {transfer_syntax_name(syntax)} cannot be decoded here: {hint}"
    )
