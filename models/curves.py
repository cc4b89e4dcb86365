"""Learning curves: what each epoch brought, as a table and as a picture."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.epoch_report import EpochReport

_COLOURS = {"train": "#4477aa", "validation": "#cc6677", "rate": "#999999"}


def curves_csv(history: Sequence[EpochReport]) -> str:
    """Return a row per epoch, with the names of :class:`EpochReport` for columns."""
    text = io.StringIO()
    columns = [field.name for field in dataclasses.fields(EpochReport)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(report) for report in history)
    return text.getvalue()


def curves_png(history: Sequence[EpochReport]) -> bytes:
    """Draw loss, validation AUC and learning rate over the epochs."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    losses, areas, rates = figure.subplots(1, 3)
    epochs = [report.epoch for report in history]
    losses.plot(epochs, [r.loss for r in history], color=_COLOURS["train"], label="train")
    losses.plot(
        epochs,
        [r.validation_loss for r in history],
        color=_COLOURS["validation"],
        label="validation, image's own part",
    )
    losses.set_title("loss")
    losses.legend(frameon=False, fontsize=8)
    areas.plot(epochs, [r.validation_auc for r in history], color=_COLOURS["validation"])
    chosen = [report for report in history if report.best][-1]
    areas.plot([chosen.epoch], [chosen.validation_auc], "o", color=_COLOURS["validation"])
    areas.set_title(f"validation AUC, kept {chosen.validation_auc:.3f} of epoch {chosen.epoch}")
    rates.plot(epochs, [r.learning_rate for r in history], color=_COLOURS["rate"])
    rates.set_title("learning rate at the epoch's end")
    for axes in (losses, areas, rates):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    return drawn.getvalue()
