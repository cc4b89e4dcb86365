"""A comparison in three charts: the curves, what is left of the claims, and what it costs."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from sklearn.metrics import roc_curve

from models.chart import BLUE, GREEN, GREY, RED, YELLOW, plain_axes, png
from models.comparison.comparison import Comparison
from models.comparison.labelled_split import LabelledSplit
from models.comparison.standing import Standing, standings

ROC_PICTURE, CLAIMS_PICTURE, COST_PICTURE = "roc.png", "claims.png", "cost.png"
_BARS = (
    ("claimed", GREY),
    ("published split, ours", YELLOW),
    ("clean split, ours", BLUE),
    ("FracAtlas test, ours", RED),
)


def pictures(comparison: Comparison) -> dict[str, bytes]:
    """Return the charts as PNG, by their file names."""
    drawn = {ROC_PICTURE: _curves(comparison), COST_PICTURE: _cost(comparison)}
    if any(standing.measured for standing in standings(comparison)):
        drawn[CLAIMS_PICTURE] = _claims(standings(comparison))
    return drawn


def _curves(comparison: Comparison) -> bytes:
    count = len(comparison.sets)
    figure = Figure(figsize=(4.6 * count, 5.2), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    colours = colormaps["tab20"](np.arange(len(comparison.entries)) % 20)
    for axes, data in zip(panels, comparison.sets, strict=True):
        for entry, colour in zip(comparison.entries, colours, strict=True):
            _curve(axes, data, entry.on[data.name].probabilities, entry.label, colour)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        axes.set_title(f"{data.name}, {data.split}")
        axes.set_xlabel("1 - specificity")
        plain_axes(axes).set_aspect("equal")
    panels[0].set_ylabel("sensitivity")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return png(figure)


def _curve(
    axes: Axes,
    data: LabelledSplit,
    probabilities: tuple[float, ...],
    label: str,
    colour: tuple[float, ...],
) -> None:
    wrong, right, _ = roc_curve(data.labels, probabilities)
    axes.plot(wrong, right, color=colour, linewidth=1.3, label=label)


def _claims(rows: tuple[Standing, ...]) -> bytes:
    figure = Figure(figsize=(11, 0.9 + 0.6 * len(rows)), layout="constrained")
    accuracies, areas = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(rows))
    for number, (name, colour) in enumerate(_BARS):
        values = [row.accuracies[number] for row in rows]
        shift = (number - 1.5) * 0.2
        _bars(accuracies, places + shift, [_percent(v) for v in values], colour, name)
        if number:
            found = [row.areas[number - 1] for row in rows]
            _bars(areas, places + shift, [v or 0.0 for v in found], colour, name)
    accuracies.set_yticks(places, [row.claim.title for row in rows])
    accuracies.set_xlabel("accuracy, %")
    accuracies.set_xlim(40, 100)
    areas.set_xlabel("area under the ROC curve")
    areas.set_xlim(0.4, 1)
    areas.axvline(0.5, color=GREY, linewidth=0.8)
    accuracies.invert_yaxis()
    handles, labels = accuracies.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    for axes in (accuracies, areas):
        plain_axes(axes)
    return png(figure)


def _percent(value: float | None) -> float:
    return 0.0 if value is None else 100 * value


def _bars(axes: Axes, places: np.ndarray, values: list[float], colour: str, name: str) -> None:
    axes.barh(places, values, 0.2, color=colour, label=name)


def _cost(comparison: Comparison) -> bytes:
    count = len(comparison.sets)
    figure = Figure(figsize=(4.6 * count, 4), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes, data in zip(panels, comparison.sets, strict=True):
        for entry in comparison.entries:
            found = entry.on[data.name]
            colour = GREEN if entry.members else BLUE
            size = 10 + entry.weights_bytes / 1e6
            place = (found.images_per_second, found.figures.auc.value)
            axes.scatter(*place, s=size, color=colour, alpha=0.6)
            axes.annotate(entry.label, place, fontsize=6, xytext=(3, 3), textcoords="offset points")
        speeds = [entry.on[data.name].images_per_second for entry in comparison.entries]
        axes.set_xscale("log")
        axes.set_xlim(min(speeds) / 2, max(speeds) * 4)  # room for the names on the right
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{data.name}, {data.split}")
        axes.set_xlabel("images per second; the dot grows with the weights")
        plain_axes(axes)
    panels[0].set_ylabel("area under the ROC curve")
    return png(figure)
