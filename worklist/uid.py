"""Unique identifiers in an address."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

Uid = Annotated[
    str,
    Path(
        min_length=1,
        max_length=256,
        # PS3.5 9.1 has 64 digits and dots; senders have more, and what we hold can be asked for.
        pattern=r"^[^/\x00-\x1f\x7f]+$",
        examples=["2.25.325140035968780511421408261231384734593"],
    ),
]
