"""The stored words of a frame, native or compressed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import UID

from screening.dicom.codestream import codestream_size
from screening.dicom.data_set import PIXEL_DATA, DataSet
from screening.dicom.elements import UNDEFINED, Element
from screening.dicom.image_pixel import ImagePixel
from screening.errors import DecodeError, NoPixelDataError

Words = NDArray[np.uint8] | NDArray[np.uint16]

_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_RLE = "1.2.840.10008.1.2.5"

# One decoder for each transfer syntax, all under permissive licences: left to choose, pydicom tries
# every one that is installed, and two machines may then see two images.
_PLUGINS = {
    _JPEG_BASELINE: "pillow",
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG Lossless, Process 14
    "1.2.840.10008.1.2.4.70": "gdcm",  # JPEG Lossless SV1, the usual compression of CR and DX
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
    return {uid: plugin in get_decoder(uid).available_plugins for uid, plugin in _PLUGINS.items()}


def stored_words(data_set: DataSet, image: ImagePixel) -> tuple[Words, ImagePixel]:
    """Return the words of the frame, as unsigned integers, and how to read them.

    Parameters
    ----------
    data_set
        Found by `screening.dicom.elements.open_data_set`.
    image
        Its Image Pixel module.

    Returns
    -------
    words : ndarray of uint8 or uint16, shape (rows, columns)
        Native words are a view into `data_set`, with its byte order.
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
    words = _decoded_words(data_set, pixels, image)
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


def _decoded_words(data_set: DataSet, pixels: Element, image: ImagePixel) -> Words:
    syntax = data_set.transfer_syntax_uid
    decoder, plugin = _decoder(syntax, image)
    _check_size(data_set, image)
    encoded = data_set.data[pixels.start :]
    try:
        array, _ = decoder.as_array(
            encoded, index=0, raw=True, validate=False, decoding_plugin=plugin, **_options(image)
        )
    except Exception as error:  # Decoders raise whatever they like, of every kind, on damaged data.
        raise DecodeError(
            f"the pixels are damaged, or are not {transfer_syntax_name(syntax)}: the decoder "
            f"{plugin} gave up with {type(error).__name__}, send the image again"
        ) from None
    return array.view(f"u{array.dtype.itemsize}")


def _check_size(data_set: DataSet, image: ImagePixel) -> None:
    fragment = data_set.first_fragment()
    if fragment is None:
        return
    size = codestream_size(data_set.data[fragment.start : fragment.start + _CODESTREAM_HEADER])
    if size not in (None, (image.rows, image.columns)):
        raise DecodeError(
            f"the compressed frame says that it has {size[0]} x {size[1]} pixels, the header "
            f"{image.rows} x {image.columns}: send the image again"
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


def _decoder(syntax: str, image: ImagePixel) -> tuple[Decoder, str]:
    """Return the decoder of a transfer syntax and the plugin to use, or say why there is none."""
    plugin = _PLUGINS.get(syntax)
    hint = "ask the sender for Explicit VR Little Endian or JPEG Lossless"
    if syntax == _JPEG_EXTENDED:
        # Of 12 bits only libjpeg's GPL plugin makes an image; of 8 bits anything does.
        plugin = "pillow" if image.bits_allocated == 8 else "pylibjpeg"
        if image.bits_allocated != 8:
            hint += ", or install pylibjpeg-libjpeg if its licence, the GPL, suits you"
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        decoder, plugin = None, None
    if decoder is None or plugin is None:
        raise DecodeError(
            f"transfer syntax {transfer_syntax_name(syntax)} cannot be decoded here: {hint}"
        )
    if plugin not in decoder.available_plugins:
        bits = " of 12-bit precision" if syntax == _JPEG_EXTENDED else ""
        hint = hint if bits else "install the decoders with pip install 'nightread[worker]'"
        raise DecodeError(
            f"transfer syntax {transfer_syntax_name(syntax)}{bits} cannot be decoded here: {hint}"
        )
    return decoder, plugin
