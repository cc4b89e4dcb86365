"""A row of a comparison: a classifier or an ensemble, with its figures on each set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.comparison.pair_figures import PairFigures
from models.comparison.training import Training


@dataclass(frozen=True, slots=True)
class OnSet:
    """One classifier on one set.

    Attributes
    ----------
    figures
        Measured.
    probabilities
        For each film; the curves are drawn of them.
    images_per_second, machine
        How fast it was, and where.
    copies
        How many films are exact copies of what it was trained on; ``None`` where that is not known.
    """

    figures: PairFigures
    probabilities: tuple[float, ...]
    images_per_second: float
    machine: str
    copies: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A classifier or an ensemble.

    Attributes
    ----------
    label
        What the page calls it.
    key
        Name of its recipe; empty for an ensemble.
    trained_on
        The set, by its name in this comparison or in the bundle; empty where neither tells.
    training
        How far it was trained; ``None`` for an ensemble, and where the bundle does not say.
    command
        What finishes the training; empty where nothing is left to do.
    parameters, weights_bytes
        Its cost.
    members
        An ensemble's, by their labels, with their weights.
    on
        By the name of the set.
    """

    label: str
    key: str
    trained_on: str
    training: Training | None
    command: str
    parameters: int
    weights_bytes: int
    members: tuple[tuple[str, float], ...]
    on: Mapping[str, OnSet]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, without the scores, fractions rounded to four places."""
        training = dataclasses.asdict(self.training) if self.training else None
        return {
            "label": self.label,
            "recipe": self.key,
            "trained_on": self.trained_on,
            "training": training,
            "finished_by": self.command,
            "parameters": self.parameters,
            "weights_bytes": self.weights_bytes,
            "members": [{"label": label, "weight": round(w, 4)} for label, w in self.members],
            "on": {name: _plain(item) for name, item in self.on.items()},
        }


def _plain(item: OnSet) -> dict[str, Any]:
    figures = {
        name: {key: round(value, 4) for key, value in estimate.items()}
        for name, estimate in dataclasses.asdict(item.figures).items()
    }
    speed = round(item.images_per_second, 1)
    return figures | {"images_per_second": speed, "machine": item.machine, "copies": item.copies}
