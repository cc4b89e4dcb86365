"""What a PACS is asked for: which studies belong to a batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Word = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\\*?]+$")]

RADIOGRAPHS = ("CR", "DX")
"""Modalities of plain radiographs, PS3.3 C.7.3.1.1.1."""


class Question(BaseModel):
    """Which studies, and which of their series.

    Attributes
    ----------
    first_day, last_day
        Study dates from and to, both included; empty with ``accession_numbers``.
    modalities
        Of the series.
    body_parts
        Body Part Examined of the series, in any case; empty for all. A series that names none
        belongs to the batch.
    stations
        Station Name of the series; empty for all. A series that names none belongs to the batch.
    accession_numbers
        Of the studies; empty for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_day: dt.date | None = None
    last_day: dt.date | None = None
    modalities: tuple[_Word, ...] = Field(default=RADIOGRAPHS, min_length=1)
    body_parts: tuple[_Word, ...] = ()
    stations: tuple[_Word, ...] = ()
    accession_numbers: tuple[_Word, ...] = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> Question:
        if (self.first_day is None) != (self.last_day is None):
            raise ValueError("a first and a last day are needed, or neither")
        if self.first_day is None and not self.accession_numbers:
            raise ValueError("days or accession numbers are needed: a whole PACS is no batch")
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValueError("the last day is before the first")
        return self

    @property
    def days(self) -> list[dt.date]:
        """Each day of it, the first first."""
        if self.first_day is None or self.last_day is None:
            return []
        count = (self.last_day - self.first_day).days + 1
        return [self.first_day + dt.timedelta(days=number) for number in range(count)]

    def wants(self, modality: str, body_part: str, station: str) -> bool:
        """Say whether a series belongs to the batch; what the PACS does not say is empty."""
        return (
            (not modality or modality in self.modalities)
            and _fits(body_part, self.body_parts)
            and _fits(station, self.stations)
        )


def _fits(said: str, wanted: Sequence[str]) -> bool:
    return not said or not wanted or said.upper() in {each.upper() for each in wanted}
