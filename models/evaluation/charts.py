"""Pictures of a measurement: the two curves, the calibration, and the scores of either class."""

from __future__ import annotations

import io
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.chart import BLUE, GREY, RED, plain_axes
from models.dataset import sources_of
from models.evaluation.assessment import Assessment
from models.evaluation.figures import Figures
from models.evaluation.ranking import Ranking
from models.evaluation.resampling import Floats, Resampling, ratio

_GRID = np.linspace(0, 1, 101)
_SIZE = (6.4, 5.0)
_BINS = 25
_INK = "#333333"
_POINTS = (
    ("high_sensitivity", "high sensitivity", "o"),
    ("high_specificity", "high specificity", "D"),
)
# Else every drawing of the same figures would be another file.
_SALT = "nightread"

Draw = Callable[[Axes, "Drawn"], None]


class Drawn:
    """What the charts show of an assessment.

    Parameters
    ----------
    assessment
        Of a bundle on a set.
    """

    def __init__(self, assessment: Assessment) -> None:
        rows, predictions = assessment.scored.rows, assessment.scored.predictions
        self.points = assessment.points
        self.figures: Figures = assessment.figures
        self.labels: NDArray[np.int_] = np.array([row.fractured for row in rows])
        self.scores: Floats = np.array([item.probability for item in predictions])
        self.prevalence = float(self.labels.mean())
        ranking = Ranking(self.labels, self.scores)
        resampling = Resampling(self.labels, sources_of(rows))
        bands = resampling.over_weights(lambda weights: _curves(ranking, weights))
        low, high = np.percentile(bands[1:], (2.5, 97.5), axis=0)
        self.roc_band, self.precision_band = zip(low, high, strict=True)
        self.found, self.alarms = (part[0] for part in ranking.counts(np.ones((1, len(rows)))))


def _curves(ranking: Ranking, weights: Floats) -> Floats:
    """Return both curves of each draw on a grid: (d, 2, grid)."""
    found, alarms = ranking.counts(weights)
    precision = ratio(found, found + alarms, 1.0)
    sensitivity, alarm_rate = found / found[:, -1:], alarms / alarms[:, -1:]
    curves = np.empty((len(weights), 2, len(_GRID)))
    for at in range(len(weights)):
        curves[at, 0] = np.interp(_GRID, *_from_zero(alarm_rate[at], sensitivity[at]))
        first = np.minimum(np.searchsorted(sensitivity[at], _GRID - 1e-9), found.shape[1] - 1)
        curves[at, 1] = precision[at, first]
    return curves


def _from_zero(across: Floats, up: Floats) -> tuple[Floats, Floats]:
    return np.concatenate([[0.0], across]), np.concatenate([[0.0], up])


def charts(assessment: Assessment) -> dict[str, bytes]:
    """Draw the charts, each as PNG and as SVG, by file name."""
    drawn = Drawn(assessment)
    kinds: dict[str, Draw] = {
        "roc": _roc,
        "precision_recall": _precision_recall,
        "reliability": _reliability,
        "scores": _scores,
    }
    files: dict[str, bytes] = {}
    for name, draw in kinds.items():
        with mpl.rc_context({"svg.hashsalt": _SALT}):
            figure = Figure(figsize=_SIZE, layout="constrained")
            draw(plain_axes(figure.subplots()), drawn)
            files[f"{name}.png"] = _saved(figure, "png")
            files[f"{name}.svg"] = _saved(figure, "svg")
    return files


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # A date would make every file another.
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=120, metadata=metadata)
    return buffer.getvalue()


def _roc(axes: Axes, drawn: Drawn) -> None:
    found = np.concatenate([[0.0], drawn.found / drawn.found[-1]])
    alarms = np.concatenate([[0.0], drawn.alarms / drawn.alarms[-1]])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    axes.fill_between(_GRID, *drawn.roc_band, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(alarms, found, color=BLUE, linewidth=1.8)
    for key, words, marker in _POINTS:
        point = getattr(drawn.figures, key)
        x, y = 1 - point.specificity.value, point.sensitivity.value
        axes.plot([x], [y], marker, color=RED, markersize=7, clip_on=False, label=words)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity")
    axes.set_title(f"ROC: area {drawn.figures.auc}", loc="left", fontsize=11, color=_INK)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    _finish(axes)


def _precision_recall(axes: Axes, drawn: Drawn) -> None:
    sensitivity, precision = (
        drawn.found / drawn.found[-1],
        drawn.found / (drawn.found + drawn.alarms),
    )
    axes.axhline(
        drawn.prevalence, color=GREY, linewidth=1, linestyle=":", label="share of fractures"
    )
    axes.fill_between(_GRID, *drawn.precision_band, color=BLUE, alpha=0.18, linewidth=0)
    axes.step(*_stepped(sensitivity, precision), where="pre", color=BLUE, linewidth=1.8)
    for key, words, marker in _POINTS:
        point = getattr(drawn.figures, key)
        x, y = point.sensitivity.value, point.precision.value
        axes.plot([x], [y], marker, color=RED, markersize=7, clip_on=False, label=words)
    axes.set(xlabel="sensitivity (recall)", ylabel="precision")
    title = f"Precision and recall: average precision {drawn.figures.average_precision}"
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    _finish(axes)


def _stepped(sensitivity: Floats, precision: Floats) -> tuple[Floats, Floats]:
    return np.concatenate([[0.0], sensitivity]), np.concatenate([precision[:1], precision])


def _reliability(axes: Axes, drawn: Drawn) -> None:
    bins = drawn.figures.reliability
    x = [item.probability for item in bins]
    y = [item.fractured.value for item in bins]
    spread = [
        [max(0.0, item.fractured.value - item.fractured.low) for item in bins],
        [max(0.0, item.fractured.high - item.fractured.value) for item in bins],
    ]
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    axes.errorbar(
        x, y, yerr=spread, color=BLUE, ecolor=BLUE, elinewidth=1.2, fmt="o-", markersize=6
    )
    for item in bins:
        at = (item.probability, item.fractured.value)
        beside = (7, -12 if item.fractured.value > 0.08 else 7)
        axes.annotate(
            str(item.images), at, beside, textcoords="offset points", fontsize=8, color=_INK
        )
    axes.set(xlabel="mean probability of the bin", ylabel="share that is fractured")
    title = f"Calibration: ECE {drawn.figures.ece}"
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    _finish(axes)


def _scores(axes: Axes, drawn: Drawn) -> None:
    edges = [float(edge) for edge in np.linspace(0, 1, _BINS + 1)]
    for label, colour, words in ((0, BLUE, "not fractured"), (1, RED, "fractured")):
        scores = drawn.scores[drawn.labels == label]
        weights = np.full(len(scores), 1 / len(scores))
        axes.hist(scores, edges, weights=weights, color=colour, alpha=0.25)
        axes.hist(
            scores,
            edges,
            weights=weights,
            histtype="step",
            color=colour,
            linewidth=1.6,
            label=words,
        )
    top = axes.get_ylim()[1]
    thresholds = (drawn.points.high_sensitivity, drawn.points.high_specificity)
    sides = (("right", -4), ("left", 4))
    for threshold, words, (side, gap) in zip(
        thresholds, ("clear below", "suspected from here"), sides, strict=True
    ):
        axes.axvline(threshold, color=_INK, linewidth=1, linestyle="--")
        beside = "left" if threshold < 0.15 else side
        axes.annotate(
            f"{words} ({threshold:.3f})",
            (threshold, top),
            (4 if beside == "left" else gap, -10 if side == "right" else -24),
            textcoords="offset points",
            ha=beside,
            fontsize=8,
            color=_INK,
        )
    axes.set(xlabel="probability", ylabel="share of its class")
    axes.set_title("Scores of either class", loc="left", fontsize=11, color=_INK)
    axes.legend(loc="upper right", frameon=False, fontsize=9)
    _finish(axes, top)


def _finish(axes: Axes, top: float = 1.0) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, top)
    axes.tick_params(colors=_INK, labelsize=9)
