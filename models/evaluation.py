"""How good a classifier is on a labelled split, with the uncertainty of each figure."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models.classifier import Classifier
from models.dataset import LabelledRadiograph, read_pixels, read_split, unit_range
from screening.domain.prediction import Prediction
from screening.errors import TrainingError

_BATCH = 16
_RESAMPLES = 2000
_BINS = 10
_Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % bootstrap interval, all in [0, 1]."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class PointFigures:
    """At one operating point: the share of fractures found, and of the others left in peace."""

    threshold: float
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """A classifier on one set.

    Attributes
    ----------
    images, fractured, groups
        Counts; a group is a source radiograph.
    auc
        Area under the ROC curve.
    high_sensitivity, high_specificity
        At the classifier's two operating points. At the first, "found" means not clear; at the
        second, suspected.
    calibration_error
        Expected calibration error over ten bins of equal width, in [0, 1].
    pointing
        Of the fractured images with outlines, the share whose hottest point lies in one (Zhang et
        al., *Top-down neural attention by excitation backprop*, IJCV 2018). ``None`` without boxes.
    images_per_second
        Prepared and scored, files already decoded, on the machine at hand.
    """

    images: int
    fractured: int
    groups: int
    auc: Estimate
    high_sensitivity: PointFigures
    high_specificity: PointFigures
    calibration_error: float
    pointing: Estimate | None
    images_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fractions rounded to four places and thresholds kept whole."""
        return _rounded(dataclasses.asdict(self))


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _round_one(key, value) for key, value in values.items()}


def _round_one(key: str, value: Any) -> Any:  # noqa: ANN401  (any plain value)
    if isinstance(value, dict):
        return _rounded(value)
    return round(value, 4) if isinstance(value, float) and key != "threshold" else value


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
        raise TrainingError(f"selecting {dict(where)} leaves no image of one class: select less")
    return kept


def evaluate(
    classifier: Classifier,
    data: Path,
    split: str = "test",
    where: Mapping[str, str] | None = None,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> Figures:
    """Score a split and measure.

    Parameters
    ----------
    classifier
        As :func:`models.classifier.load_classifier` gives it.
    data
        Folder of a labelled set.
    split
        Which one.
    where
        Columns and the values that a row must have to count.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    TrainingError
        If the set cannot be used.
    """
    rows = select(read_split(data, split), where or {})
    predictions, seconds = _score(classifier, rows, on_image)
    return measure(classifier, rows, predictions, len(rows) / seconds)


def _score(
    classifier: Classifier,
    rows: Sequence[LabelledRadiograph],
    on_image: Callable[[int, int], None],
) -> tuple[list[Prediction], float]:
    predictions: list[Prediction] = []
    seconds = 0.0
    for at in range(0, len(rows), _BATCH):
        decoded = [unit_range(read_pixels(row.path)) for row in rows[at : at + _BATCH]]
        started = time.perf_counter()
        predictions += classifier.score([classifier.prepare(pixels) for pixels in decoded])
        seconds += time.perf_counter() - started
        on_image(len(predictions), len(rows))
    return predictions, seconds


def measure(
    classifier: Classifier,
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    images_per_second: float,
) -> Figures:
    """Return the figures of predictions already made.

    Intervals come from 2,000 resamplings of whole groups, so that the copies of one source are not
    taken for independent evidence.
    """
    labels = np.array([row.fractured for row in rows])
    scores = np.array([item.probability for item in predictions])
    groups = np.unique([row.group for row in rows], return_inverse=True)[1]
    resampling = _Resampling(groups, labels)
    points = classifier.points
    return Figures(
        images=len(rows),
        fractured=int(labels.sum()),
        groups=int(groups.max()) + 1,
        auc=resampling.estimate(lambda weights: _area(labels, scores, weights)),
        high_sensitivity=_at(points.high_sensitivity, scores, labels, resampling),
        high_specificity=_at(points.high_specificity, scores, labels, resampling),
        calibration_error=calibration_error(scores, labels),
        pointing=_pointing(rows, predictions, resampling),
        images_per_second=images_per_second,
    )


class _Resampling:
    """Draws of whole groups, as how often each image counts; both classes are in each draw."""

    def __init__(self, groups: NDArray[np.intp], labels: NDArray[np.int_]) -> None:
        rng = np.random.default_rng(0)
        count = int(groups.max()) + 1
        self._size = len(labels)
        self._draws: list[_Weights] = []
        while len(self._draws) < _RESAMPLES:
            times = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
            weights = times[groups]
            if weights[labels == 0].any() and weights[labels == 1].any():
                self._draws.append(weights)

    def estimate(self, of: Callable[[_Weights], float]) -> Estimate:
        """Return a figure of the images as they are, and its interval over the draws."""
        low, high = np.percentile([of(weights) for weights in self._draws], (2.5, 97.5))
        return Estimate(of(np.ones(self._size)), float(low), float(high))


def _area(labels: NDArray[np.int_], scores: NDArray[np.float64], weights: _Weights) -> float:
    return float(roc_auc_score(labels, scores, sample_weight=weights))


def _at(
    threshold: float,
    scores: NDArray[np.float64],
    labels: NDArray[np.int_],
    resampling: _Resampling,
) -> PointFigures:
    called = scores >= threshold
    return PointFigures(
        threshold,
        resampling.estimate(lambda weights: _share(called, weights * (labels == 1))),
        resampling.estimate(lambda weights: _share(~called, weights * (labels == 0))),
    )


def _pointing(
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    resampling: _Resampling,
) -> Estimate | None:
    outlined = np.array([bool(row.boxes) for row in rows])
    if not outlined.any():
        return None
    hits = np.array([_hits(row, item) for row, item in zip(rows, predictions, strict=True)])
    return resampling.estimate(lambda weights: _share(hits, weights * outlined))


def _share(hits: NDArray[np.bool_], weights: _Weights) -> float:
    total = float(weights.sum())
    return float(weights[hits].sum()) / total if total else 0.0


def _hits(row: LabelledRadiograph, prediction: Prediction) -> bool:
    x, y = prediction.hottest_x, prediction.hottest_y
    if x is None or y is None:
        return False
    return any(box.contains(x, y) for box in row.boxes)


def calibration_error(scores: NDArray[np.float64], labels: NDArray[np.int_]) -> float:
    """Return the expected calibration error, ten bins of equal width (Naeini et al., AAAI 2015)."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(scores[bins == index].mean() - labels[bins == index].mean()) * (bins == index).mean()
        for index in range(_BINS)
        if (bins == index).any()
    ]
    return float(sum(gaps))
