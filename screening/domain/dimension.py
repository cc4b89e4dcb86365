"""By what studies are grouped, to see whether they drift."""

from __future__ import annotations

from enum import StrEnum


class Dimension(StrEnum):
    """What the studies of a group have in common; by week they are all one group."""

    SCANNER = "scanner"
    BODY_PART = "body-part"
    AGE = "age"
    WEEK = "week"


AGE_BANDS = ((6, "0 to 5"), (12, "6 to 11"), (18, "12 to 17"), (40, "18 to 39"), (65, "40 to 64"))
"""The years below which a band ends, and its name; who is older is in `OLDEST`."""

OLDEST = "65 and over"
