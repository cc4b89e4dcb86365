"""The images of a set through a classifier, and those that it could not score."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.dataset import LabelledRadiograph
from models.image_file import pixel_digest, read_grey, unit_range
from screening.dicom.quality import blank_or_saturated, measure_quality
from screening.domain.prediction import Prediction
from screening.domain.verdict import OperatingPoints
from screening.errors import NightreadError, TrainingError

_BATCH = 16

Step = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Report nothing."""


class Scorer(Protocol):
    """What can be measured: a `models.classifier.Classifier`, or an ensemble of them."""

    points: OperatingPoints

    def prepare(self, pixels: NDArray[np.float32], /) -> Any:  # noqa: ANN401  (each its own)
        """Fit a radiograph, float32 (H, W) in [0, 1], to the network."""

    def score(self, images: Any, /) -> list[Prediction]:  # noqa: ANN401
        """Score what was prepared, in order."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An image that was not scored, and why."""

    row: LabelledRadiograph
    reason: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of a set's images.

    Attributes
    ----------
    rows, predictions
        Those that were scored, in the order of the set. A row that named no group has the digest of
        its pixels for one, so that copies share it.
    refused
        The others.
    seconds
        Spent on preparing and scoring, without decoding.
    """

    rows: tuple[LabelledRadiograph, ...]
    predictions: tuple[Prediction, ...]
    refused: tuple[Refused, ...]
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Prepared and scored."""
        return len(self.rows) / max(self.seconds, 1e-9)


def select(
    rows: Sequence[LabelledRadiograph], where: Mapping[str, str]
) -> list[LabelledRadiograph]:
    """Return the rows whose columns hold these values.

    Raises
    ------
    TrainingError
        If a column does not exist, or a class has no image left.
    """
    unknown = sorted({key for key in where for row in rows if key not in row.attributes})
    if unknown:
        raise TrainingError(f"the table has no column {', '.join(unknown)} to select by")
    kept = [
        row for row in rows if all(row.attributes[key] == value for key, value in where.items())
    ]
    if len({row.fractured for row in kept}) < 2:
        chosen = f"selecting {dict(where)}" if where else "the chosen split"
        raise TrainingError(f"{chosen} leaves no image of one class: select less, or another split")
    return kept


def score_rows(
    classifier: Scorer, rows: Sequence[LabelledRadiograph], on_image: Step = silent
) -> Scored:
    """Score images; what cannot be read, or shows nothing, is told and not guessed.

    Parameters
    ----------
    classifier
        As `models.bundle.load_classifier` gives it.
    rows
        Of a set.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    TrainingError
        If no image of one class could be scored.
    """
    kept: list[LabelledRadiograph] = []
    predictions: list[Prediction] = []
    refused: list[Refused] = []
    seconds = 0.0
    for at in range(0, len(rows), _BATCH):
        batch: list[Any] = []
        for row in rows[at : at + _BATCH]:
            try:
                known, prepared, spent = _prepare(classifier, row)
            except NightreadError as error:
                refused.append(Refused(row, str(error)))
                continue
            kept.append(known)
            batch.append(prepared)
            seconds += spent
        started = time.perf_counter()
        predictions += classifier.score(batch)
        seconds += time.perf_counter() - started
        on_image(len(kept) + len(refused), len(rows))
    _require_both_classes(kept, refused)
    return Scored(tuple(kept), tuple(predictions), tuple(refused), seconds)


def _prepare(classifier: Scorer, row: LabelledRadiograph) -> tuple[LabelledRadiograph, Any, float]:
    """Read and prepare an image; return its row with a group, and the seconds of preparation."""
    grey = read_grey(row.path)
    pixels = unit_range(grey)
    flat = blank_or_saturated(measure_quality(pixels))
    if flat is not None:
        raise TrainingError(flat)
    started = time.perf_counter()
    prepared = classifier.prepare(pixels)
    spent = time.perf_counter() - started
    if row.group:
        return row, prepared, spent
    return dataclasses.replace(row, group=pixel_digest(grey)), prepared, spent


def _require_both_classes(kept: Sequence[LabelledRadiograph], refused: Sequence[Refused]) -> None:
    present = {row.fractured for row in kept}
    for name, label in (("fractured", 1), ("not_fractured", 0)):
        if label in present:
            continue
        why = f"; the first of {len(refused)} that were not: {refused[0].reason}" if refused else ""
        raise TrainingError(f"no image labelled {name} could be scored{why}")
