"""A named labelled set of a comparison, one split of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.dataset import LabelledRadiograph, digest, read_split, sources_of
from screening.errors import TrainingError


@dataclass(frozen=True)
class LabelledSplit:
    """The films of one split.

    Attributes
    ----------
    name
        As the comparison calls the set.
    data
        Its folder or table.
    split
        Which one.
    rows
        Of the split.
    """

    name: str
    data: Path
    split: str
    rows: tuple[LabelledRadiograph, ...]

    @cached_property
    def sha256(self) -> str:
        """Of its names, labels, boxes and files."""
        return digest(self.rows)

    @cached_property
    def validation_sha256(self) -> str:
        """Of the validation split of the same set; empty where it has none."""
        try:
            return digest(read_split(self.data, "val"))
        except TrainingError:
            return ""

    @cached_property
    def sources(self) -> list[str]:
        """The source of each film."""
        return sources_of(self.rows)

    @property
    def labels(self) -> NDArray[np.int_]:
        """Integer (N,), 1 for a fracture."""
        return np.array([row.fractured for row in self.rows])

    def other(self, split: str) -> LabelledSplit:
        """Return another split of the same set.

        Raises
        ------
        TrainingError
            If it cannot be read.
        """
        return open_split(self.name, self.data, split)


def open_split(name: str, data: Path, split: str = "test") -> LabelledSplit:
    """Read a split of a set.

    Raises
    ------
    TrainingError
        If it cannot be read, or a class is missing.
    """
    return LabelledSplit(name, data, split, tuple(read_split(data, split)))
