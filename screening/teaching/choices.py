"""What whoever exports may choose."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choices:
    """What is kept beyond the Basic Profile, or let through.

    Attributes
    ----------
    keep_characteristics
        Age, in years and at most 90, and sex: Retain Patient Characteristics, PS3.15 E.3.4.
    shift_dates
        The study's date, moved back by a number of days that is the patient's own: Retain
        Longitudinal Temporal Information with Modified Dates, PS3.15 E.3.6.
    allow_burned_in
        Images that say that text is in their pixels, or that may be screenshots.
    """

    keep_characteristics: bool = False
    shift_dates: bool = False
    allow_burned_in: bool = False

    def as_dict(self) -> dict[str, bool]:
        """Return them by name, for a file."""
        return dataclasses.asdict(self)
