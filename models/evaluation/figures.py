"""All that is measured of a classifier on one set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.dataset import LabelledRadiograph, sources_of
from models.evaluation.estimate import Estimate
from models.evaluation.point import PointFigures, measure_point
from models.evaluation.pointing_game import hottest_points, play
from models.evaluation.ranking import FixedFigure, rank
from models.evaluation.reliability import ReliabilityBin, measure_reliability
from models.evaluation.resampling import Resampling
from models.evaluation.scoring import Scorer
from models.evaluation.subgroup import SubgroupFigures
from screening.domain.prediction import Prediction

HALF = 0.5
"""Where a calibrated probability calls a fracture likelier than none."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A classifier on one set.

    Attributes
    ----------
    images, fractured, groups
        Counts; a group is a source radiograph.
    auc, average_precision
        See `models.evaluation.ranking.RankingFigures`.
    ece, brier, mean_probability
        See `models.evaluation.reliability.ReliabilityFigures`.
    high_sensitivity, high_specificity
        At the classifier's two operating points, which its validation split gave it. At the first,
        "found" means not clear; at the second, suspected.
    half
        Where the calibrated probability is one half: what a published accuracy compares with.
    sensitivity_at_specificity, specificity_at_sensitivity
        By thresholds of this very set.
    outlined, pointing, pointing_true_positives, pointing_suspected
        See `models.evaluation.pointing_game.PointingFigures`; 0 and ``None`` without outlines.
    reliability
        The bins of the reliability diagram.
    images_per_second
        Prepared and scored, files already decoded, on the machine at hand.
    subgroups
        Parts of the set.
    leaking
        Whether the classifier is known to have seen some of these images, or their sources, in
        training: then the figures measure memory.
    """

    images: int
    fractured: int
    groups: int
    auc: Estimate
    average_precision: Estimate
    ece: Estimate
    brier: Estimate
    mean_probability: float
    high_sensitivity: PointFigures
    high_specificity: PointFigures
    half: PointFigures
    sensitivity_at_specificity: tuple[FixedFigure, ...]
    specificity_at_sensitivity: tuple[FixedFigure, ...]
    outlined: int
    pointing: Estimate | None
    pointing_true_positives: Estimate | None
    pointing_suspected: Estimate | None
    reliability: tuple[ReliabilityBin, ...]
    images_per_second: float
    subgroups: tuple[SubgroupFigures, ...] = ()
    leaking: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, rounded to four places but for thresholds, which are kept whole."""
        plain: dict[str, Any] = rounded(dataclasses.asdict(self))
        return plain


def rounded(value: Any, key: str = "") -> Any:  # noqa: ANN401  (any plain value)
    """Round what JSON will hold to four places; thresholds and probabilities stay whole."""
    if isinstance(value, dict):
        return {name: rounded(item, name) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    whole = key.startswith("threshold")
    return round(value, 4) if isinstance(value, float) and not whole else value


def measure(
    classifier: Scorer,
    rows: Sequence[LabelledRadiograph],
    predictions: Sequence[Prediction],
    images_per_second: float = 0.0,
) -> Figures:
    """Return the figures of predictions already made.

    Intervals come from 2,000 resamplings of whole groups, so that the copies of one source are not
    taken for independent evidence. A row without a group is its own.

    Parameters
    ----------
    classifier
        Whose operating points count.
    rows, predictions
        Of one length and order, both classes present.
    images_per_second
        As it was measured.
    """
    labels = np.array([row.fractured for row in rows])
    scores = np.array([item.probability for item in predictions])
    resampling = Resampling(labels, sources_of(rows))
    points = classifier.points
    ranking = rank(labels, scores, resampling)
    reliability = measure_reliability(labels, scores, resampling)
    pointing = play(rows, hottest_points(predictions), scores, points, resampling)
    return Figures(
        images=len(rows),
        fractured=int(labels.sum()),
        groups=resampling.groups,
        auc=ranking.auc,
        average_precision=ranking.average_precision,
        ece=reliability.ece,
        brier=reliability.brier,
        mean_probability=reliability.mean_probability,
        high_sensitivity=measure_point(points.high_sensitivity, labels, scores, resampling),
        high_specificity=measure_point(points.high_specificity, labels, scores, resampling),
        half=measure_point(HALF, labels, scores, resampling),
        sensitivity_at_specificity=ranking.sensitivity_at_specificity,
        specificity_at_sensitivity=ranking.specificity_at_sensitivity,
        outlined=pointing.images if pointing else 0,
        pointing=pointing.positives if pointing else None,
        pointing_true_positives=pointing.found if pointing else None,
        pointing_suspected=pointing.suspected if pointing else None,
        reliability=reliability.bins,
        images_per_second=images_per_second,
    )
