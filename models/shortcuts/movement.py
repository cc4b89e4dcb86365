"""How far a classifier's scores move when only what should not matter is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset import LabelledRadiograph, read_pixels, sources_of, unit_range
from models.evaluation.estimate import Estimate
from models.evaluation.scoring import Scorer, Step, silent
from models.group_bootstrap import GroupBootstrap
from models.log_odds import log_odds
from models.shortcuts.change import CHANGES, Change
from screening.domain.verdict import OperatingPoints

_BATCH = 16
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Movement:
    """What one change did to the scores.

    Attributes
    ----------
    cue, change
        What was changed, and how.
    probability, logit
        Mean absolute change.
    drift
        Mean change of the logit with its sign: above 0, the scores rose.
    cleared_flips, suspected_flips
        Share of films whose verdict crossed the high-sensitivity point, and the high-specificity
        point.
    auc
        Area under the ROC curve after the change.
    auc_change
        Less that before it, with its interval.
    """

    cue: str
    change: str
    probability: float
    logit: float
    drift: float
    cleared_flips: float
    suspected_flips: float
    auc: Estimate
    auc_change: Estimate


def choose_films(
    rows: Sequence[LabelledRadiograph], count: int, seed: int = 0
) -> list[LabelledRadiograph]:
    """Draw films, half of them fractured as far as there are, in the order of the table.

    Returns
    -------
    list
        ``count`` of them, or all where there are no more.
    """
    if count >= len(rows):
        return list(rows)
    rng = np.random.default_rng(seed)
    labels = np.array([row.fractured for row in rows])
    fractured, others = (rng.permutation(np.flatnonzero(labels == label)) for label in (1, 0))
    half = max(min(count // 2, len(fractured)), count - len(others))
    chosen = np.concatenate([fractured[:half], others[: count - half]])
    return [rows[number] for number in np.sort(chosen)]


def measure_movements(
    classifier: Scorer,
    rows: Sequence[LabelledRadiograph],
    on_score: Step = silent,
) -> tuple[Estimate, tuple[Movement, ...]]:
    """Score films as they are, then after each change.

    Parameters
    ----------
    classifier
        With its operating points.
    rows
        Films of both classes.
    on_score
        Called as scores are made, with how many and of how many.

    Returns
    -------
    Estimate
        Area under the ROC curve of the films as they are.
    tuple
        A movement for each of :data:`models.shortcuts.change.CHANGES`.

    Raises
    ------
    TrainingError
        If a film cannot be read.
    """
    total = len(rows) * (len(CHANGES) + 1)
    scores = np.empty((len(CHANGES) + 1, len(rows)))
    for at in range(0, len(rows), _BATCH):
        batch = [read_pixels(row.path) for row in rows[at : at + _BATCH]]
        for number, change in enumerate((None, *CHANGES)):
            changed = batch if change is None else [change.apply(pixels) for pixels in batch]
            scores[number, at : at + len(batch)] = _score(classifier, changed)
            on_score(at * (len(CHANGES) + 1) + (number + 1) * len(batch), total)
    labels = np.array([row.fractured for row in rows])
    bootstrap = GroupBootstrap(labels, sources_of(rows))
    return bootstrap.area(scores[0]), tuple(
        _movement(change, scores[0], moved, classifier.points, bootstrap)
        for change, moved in zip(CHANGES, scores[1:], strict=True)
    )


def _score(classifier: Scorer, films: Sequence[NDArray[np.uint8]]) -> list[float]:
    prepared = [classifier.prepare(unit_range(pixels)) for pixels in films]
    return [item.probability for item in classifier.score(prepared)]


def _movement(
    change: Change,
    before: _Floats,
    after: _Floats,
    points: OperatingPoints,
    bootstrap: GroupBootstrap,
) -> Movement:
    moved = log_odds(after) - log_odds(before)
    return Movement(
        cue=change.cue,
        change=change.name,
        probability=float(np.abs(after - before).mean()),
        logit=float(np.abs(moved).mean()),
        drift=float(moved.mean()),
        cleared_flips=_flips(before, after, points.high_sensitivity),
        suspected_flips=_flips(before, after, points.high_specificity),
        auc=bootstrap.area(after),
        auc_change=bootstrap.area_gain(before, after),
    )


def _flips(before: _Floats, after: _Floats, threshold: float) -> float:
    return float(((before >= threshold) != (after >= threshold)).mean())
