"""With how many bits a classifier computes."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """As the machine does best, or always in one way."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
