"""Writing a phantom in the transfer syntax that its recipe names."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

_COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)


def can_write(transfer_syntax: UID) -> bool:
    """Whether this machine has an encoder for a transfer syntax."""
    if transfer_syntax not in _COMPRESSED:
        return True
    return bool(get_encoder(transfer_syntax).is_available)


def transcode(ds: Dataset, transfer_syntax: UID) -> None:
    """Bring an uncompressed little endian data set into another transfer syntax, in place.

    Where this machine lacks the encoder, it stays Explicit VR Little Endian.
    """
    if "PixelData" not in ds:
        ds.file_meta.TransferSyntaxUID = transfer_syntax
        return
    if transfer_syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    elif transfer_syntax in _COMPRESSED and can_write(transfer_syntax):
        # The UIDs stay: nothing is lost, and these objects never were anything else.
        ds.compress(transfer_syntax, generate_instance_uid=False)
        return
    if transfer_syntax in _COMPRESSED:
        transfer_syntax = ExplicitVRLittleEndian
    ds.file_meta.TransferSyntaxUID = transfer_syntax
