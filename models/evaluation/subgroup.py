"""Parts of a set: a body part, a view, with and without hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.dataset import LabelledRadiograph, sources_of
from models.evaluation.estimate import Estimate
from models.evaluation.point import measure_point
from models.evaluation.pointing_game import hottest_points, play
from models.evaluation.ranking import rank
from models.evaluation.reliability import measure_reliability
from models.evaluation.resampling import Resampling
from screening.domain.prediction import Prediction
from screening.domain.verdict import OperatingPoints
from screening.errors import TrainingError

FEWEST = 5
"""Images of either class that a part must have: fewer say nothing."""

MOST_VALUES = 20
"""Different values of a column by which a set may be divided."""

FAMILIAR = "familiar"
"""A column of our own: whether the classifier finds an image like its training images."""

_KNOWN = (
    *("body_part", "hand", "leg", "hip", "shoulder", "mixed"),
    *("view", "frontal", "lateral", "oblique"),
    *("hardware", FAMILIAR, "modality", "laterality", "sex", "site", "hospital", "source"),
)
_BOTH_TELL = frozenset({"hardware", FAMILIAR})
_YES, _NO = frozenset({"1", "yes", "true"}), frozenset({"0", "no", "false"})


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a column.

    Attributes
    ----------
    column, value
        As the table has them.
    """

    column: str
    value: str

    @property
    def name(self) -> str:
        """In words: ``no hardware``, ``body part: hand``."""
        words = self.column.replace("_", " ")
        if self.value.lower() in _YES:
            return words
        return f"no {words}" if self.value.lower() in _NO else f"{words}: {self.value}"


@dataclass(frozen=True, slots=True)
class OperatingFigures:
    """At an operating point, as in `models.evaluation.point.PointFigures`."""

    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True)
class SubgroupFigures:
    """A classifier on a part of a set; see `models.evaluation.figures.Figures`.

    The operating points and the calibration are those of the whole, as at work.
    """

    column: str
    value: str
    name: str
    images: int
    fractured: int
    groups: int
    auc: Estimate
    average_precision: Estimate
    ece: Estimate
    high_sensitivity: OperatingFigures
    high_specificity: OperatingFigures
    pointing: Estimate | None
    pointing_true_positives: Estimate | None


@dataclass(frozen=True, slots=True)
class SmallSubgroup:
    """A part with too few images of one class to be measured."""

    column: str
    value: str
    name: str
    images: int
    fractured: int


def subgroups(
    points: OperatingPoints,
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    by: Sequence[str] | None = None,
) -> tuple[tuple[SubgroupFigures, ...], tuple[SmallSubgroup, ...]]:
    """Measure the parts of a set.

    Parameters
    ----------
    points
        The classifier's operating points.
    rows, predictions
        Of one length and order.
    by
        Columns by whose values the set is divided. ``None`` for those among the columns that say
        something known, as ``body_part`` and ``hardware``.

    Returns
    -------
    tuple
        The parts that were measured, and those that are too small.

    Raises
    ------
    TrainingError
        If a column does not exist, or has too many values to divide by.
    """
    measured, small = list[SubgroupFigures](), list[SmallSubgroup]()
    for part in parts(rows, by):
        inside = [i for i, row in enumerate(rows) if row.attributes.get(part.column) == part.value]
        fractured = sum(rows[i].fractured for i in inside)
        if min(fractured, len(inside) - fractured) < FEWEST:
            small.append(SmallSubgroup(part.column, part.value, part.name, len(inside), fractured))
            continue
        measured.append(
            _measure(part, points, [rows[i] for i in inside], [predictions[i] for i in inside])
        )
    return tuple(measured), tuple(small)


def parts(rows: Sequence[LabelledRadiograph], by: Sequence[str] | None) -> list[Part]:
    """Return the parts into which columns divide a set, in the order of the columns.

    Raises
    ------
    TrainingError
        See `subgroups`.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row.attributes))
    if by is None:
        found = [Part(key, value) for key in _KNOWN if key in columns for value in _of(rows, key)]
        return [part for part in found if _tells(part, _of(rows, part.column))]
    for column in by:
        _require(column, columns, len(_of(rows, column)))
    return [Part(column, value) for column in by for value in _of(rows, column)]


def _of(rows: Sequence[LabelledRadiograph], column: str) -> list[str]:
    """Return the values of a column, but for the empty one."""
    return sorted({row.attributes.get(column, "") for row in rows} - {""})


def _tells(part: Part, values: Sequence[str]) -> bool:
    """Tell whether a part of a known column is worth a line: "not lateral" is not."""
    if not 2 <= len(values) <= MOST_VALUES:
        return False
    return part.column in _BOTH_TELL or part.value.lower() not in _NO


def _require(column: str, columns: Sequence[str], values: int) -> None:
    if column not in columns:
        raise TrainingError(
            f"the table has no column {column} to divide by: name some of "
            f"{', '.join(columns) or 'none, for it has no others'}"
        )
    if values > MOST_VALUES:
        raise TrainingError(
            f"the column {column} has {values} different values, too many to divide by: give one "
            f"with at most {MOST_VALUES}"
        )


def _measure(
    part: Part,
    points: OperatingPoints,
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
) -> SubgroupFigures:
    labels = np.array([row.fractured for row in rows])
    scores = np.array([item.probability for item in predictions])
    resampling = Resampling(labels, sources_of(rows))
    ranking = rank(labels, scores, resampling)
    pointing = play(rows, hottest_points(predictions), scores, points, resampling)
    sensitive, specific = (
        measure_point(threshold, labels, scores, resampling)
        for threshold in (points.high_sensitivity, points.high_specificity)
    )
    return SubgroupFigures(
        column=part.column,
        value=part.value,
        name=part.name,
        images=len(rows),
        fractured=int(labels.sum()),
        groups=resampling.groups,
        auc=ranking.auc,
        average_precision=ranking.average_precision,
        ece=measure_reliability(labels, scores, resampling).ece,
        high_sensitivity=OperatingFigures(sensitive.sensitivity, sensitive.specificity),
        high_specificity=OperatingFigures(specific.sensitivity, specific.specificity),
        pointing=pointing.positives if pointing else None,
        pointing_true_positives=pointing.found if pointing else None,
    )
