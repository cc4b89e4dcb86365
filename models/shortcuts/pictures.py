"""The test for shortcuts as two charts."""

from __future__ import annotations

from matplotlib.figure import Figure

from models.chart import BLUE, GREY, RED, plain_axes, png
from models.shortcuts.findings import Findings
from models.shortcuts.movement import Movement

CUES_PICTURE, CHANGES_PICTURE = "cues.png", "changes.png"


def pictures(findings: Findings) -> dict[str, bytes]:
    """Return the charts as PNG, by their file names."""
    drawn = {CUES_PICTURE: _cues(findings)}
    if findings.movements:
        drawn[CHANGES_PICTURE] = _changes(findings.movements)
    return drawn


def _cues(findings: Findings) -> bytes:
    bars = [(item.cue, item.auc, BLUE) for item in findings.cues]
    if findings.auc is not None:
        bars.append((f"the classifier, {findings.films} films", findings.auc, RED))
    figure = Figure(figsize=(8, 0.6 + 0.36 * len(bars)), layout="constrained")
    axes = plain_axes(figure.subplots())
    for place, (_, estimate, colour) in enumerate(bars):
        axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2)
        axes.plot([estimate.value], [place], "o", color=colour)
    axes.axvline(0.5, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel("area under the ROC curve, with its 95 % interval")
    return png(figure)


def _changes(movements: tuple[Movement, ...]) -> bytes:
    figure = Figure(figsize=(10, 0.8 + 0.32 * len(movements)), layout="constrained")
    logits, flips = figure.subplots(1, 2, sharey=True)
    places = range(len(movements))
    logits.barh(places, [item.logit for item in movements], color=BLUE, label="mean change")
    logits.plot([item.drift for item in movements], places, "D", color=RED, label="with its sign")
    logits.axvline(0, color=GREY, linewidth=0.8)
    logits.set_yticks(places, [item.change for item in movements])
    logits.set_xlabel("logit")
    logits.legend(frameon=False, fontsize=8)
    height = 0.38
    flips.barh(
        [place - height / 2 for place in places],
        [100 * item.cleared_flips for item in movements],
        height,
        color=BLUE,
        label="clear or not",
    )
    flips.barh(
        [place + height / 2 for place in places],
        [100 * item.suspected_flips for item in movements],
        height,
        color=RED,
        label="suspected or not",
    )
    flips.set_xlabel("verdicts that flip, %")
    flips.legend(frameon=False, fontsize=8)
    flips.invert_yaxis()
    for axes in (logits, flips):
        plain_axes(axes)
    return png(figure)
