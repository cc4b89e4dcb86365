"""Where the bytes of an instance lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptFile:
    """Bytes in the archive.

    Attributes
    ----------
    digest
        BLAKE3 of the transfer syntax and the data set, in hexadecimal: where the bytes lie.
    size_bytes
        Of the whole file.
    """

    digest: str
    size_bytes: int
