"""Unique identifiers in an address."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

Uid = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        # PS3.5 9.1 has digits and dots; senders have more, and what we hold can be asked for.
        pattern=r"^[0-9A-Za-z._\-]+$",
        examples=["2.25.325140035968780511421408261231384734593"],
    ),
]
