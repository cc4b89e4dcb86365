"""A comparison as the sections of a page."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from models.audit.section import Section, Table, count, plain, share
from models.comparison.comparison import Comparison
from models.comparison.entry import Entry, OnSet
from models.comparison.labelled_split import LabelledSplit
from models.comparison.multiregion import CLEAN, PUBLISHED
from models.comparison.pictures import CLAIMS_PICTURE, COST_PICTURE, ROC_PICTURE
from models.comparison.standing import FRACATLAS, Standing, standings
from models.evaluation.estimate import Estimate
from models.recipe import read_recipe

_ABSENT = "-"
_CLAIM_HEADER = (
    "model",
    "claimed accuracy",
    "ours, published split (leaks)",
    "AUC",
    "ours, clean split",
    "AUC",
    "ours, FracAtlas test",
    "AUC",
    "published - claim",
    "clean - claim",
    "FracAtlas - claim",
)
_FIGURE_HEADER = (
    "classifier",
    "trained on",
    "AUC",
    "accuracy",
    "sensitivity, specificity at the high-sensitivity point",
    "at the high-specificity point",
    "copies of its training images",
)


def account(comparison: Comparison, pictures: Collection[str] = ()) -> list[Section]:
    """Return the sections.

    Parameters
    ----------
    comparison
        What was measured.
    pictures
        The names of those that are there.
    """
    rows = standings(comparison)
    sections = [_opening(comparison)]
    if any(row.measured for row in rows):
        sections += [_claims(rows, pictures), _published(rows)]
        sections.append(_unmeasured(rows, {data.name: data.data for data in comparison.sets}))
    sections += [_figures(comparison, data) for data in comparison.sets]
    sections += [_curves(pictures), _cost(comparison, pictures), _ensembles(comparison)]
    sections += [_trainings(comparison), _reading()]
    return [item for item in sections if item.sentences or item.table or item.picture]


def _opening(comparison: Comparison) -> Section:
    rows = tuple(_set_row(data) for data in comparison.sets)
    header = ("set", "split", "images", "fractured", "sources", "accuracy of one answer for all")
    sentence = (
        f"{count(len(comparison.entries), 'classifier')} on "
        f"{count(len(comparison.sets), 'set')}, each measured in the same way."
    )
    return Section("", (sentence,), Table(header, rows, numbers_from=2))


def _set_row(data: LabelledSplit) -> tuple[str, ...]:
    films, fractured = len(data.rows), int(data.labels.sum())
    return (
        plain(data.name),
        data.split,
        f"{films:,}",
        f"{fractured:,}",
        f"{len(set(data.sources)):,}",
        share(max(fractured, films - fractured), films),
    )


def _claims(rows: Iterable[Standing], pictures: Collection[str]) -> Section:
    return Section(
        "What was claimed, and what is left",
        (
            "The claimed accuracies are their authors' own, on the published split of the "
            "multi-region set, where nearly every test film has a copy in train. Ours on that "
            "split is of a classifier trained on it; ours on the clean split and on FracAtlas test "
            "are of the same recipe trained on the clean split, or, where that was not trained, "
            "with (p), on the published one.",
            "Accuracies at a probability of 0.5, which is calibrated on the validation split "
            "alone. Differences in percentage points of accuracy.",
        ),
        Table(_CLAIM_HEADER, tuple(map(_claim_row, rows))),
        CLAIMS_PICTURE if CLAIMS_PICTURE in pictures else "",
        "Claimed and measured: accuracy, and area under the ROC curve",
    )


def _claim_row(row: Standing) -> tuple[str, ...]:
    ours = (row.on_published, row.on_clean, row.on_fracatlas)
    marks = ("", "", "" if row.clean or row.on_fracatlas is None else " (p)")
    cells = [cell for on, mark in zip(ours, marks, strict=True) for cell in _both(on, mark)]
    return (
        f"{row.claim.title}{_unfinished_mark(row)}",
        _ABSENT if row.claim.accuracy is None else f"{row.claim.accuracy:.2f} %",
        *cells,
        *(_difference(on, row.claim.accuracy) for on in ours),
    )


def _both(on: OnSet | None, mark: str) -> tuple[str, str]:
    if on is None:
        return _ABSENT, _ABSENT
    return f"{_percent(on.figures.accuracy)}{mark}", str(on.figures.auc)


def _percent(estimate: Estimate) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.1f} % [{low:.1f}, {high:.1f}]"


def _difference(on: OnSet | None, claimed: float | None) -> str:
    if on is None or claimed is None:
        return _ABSENT
    return f"{100 * on.figures.accuracy.value - claimed:+.1f}"


def _unfinished_mark(row: Standing) -> str:
    parts = [
        f"{name} {entry.training.epochs} of {entry.training.planned} epochs"
        for name, entry in (("published", row.published), ("clean", row.clean))
        if entry and entry.training and not entry.training.finished
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _published(rows: Iterable[Standing]) -> Section:
    header = ("model", "parameters, published", "parameters, ours", "input", "recipe", "remark")
    table = tuple(
        (
            row.claim.title,
            row.claim.parameters,
            _parameters(row.published or row.clean),
            f"{row.claim.input}",
            row.claim.recipe,
            row.claim.remark,
        )
        for row in rows
    )
    return Section("As published", (), Table(header, table, numbers_from=9))


def _parameters(entry: Entry | None) -> str:
    return _ABSENT if entry is None else f"{entry.parameters / 1e6:.2f} M"


def _unmeasured(rows: Iterable[Standing], sets: Mapping[str, Path]) -> Section:
    table = tuple(
        (
            row.claim.title,
            split,
            _training_command(row.claim.name, kind, str(sets.get(split, split))),
        )
        for row in rows
        for kind, split, entry in (
            ("published", PUBLISHED, row.published),
            ("clean", CLEAN, row.clean),
        )
        if entry is None
    )
    header = ("model", "set", "what trains it")
    title = "Not measured yet" if table else ""
    return Section(title, (), Table(header, table, numbers_from=9) if table else None)


def _training_command(recipe: str, kind: str, data: str) -> str:
    start = ["--start", "WEIGHTS"] if read_recipe(recipe).initial != "random" else []
    run = f"runs/{recipe}-{kind}"
    return shlex.join(["nightread", "train", recipe, "--data", data, "--run", run, *start])


def _figures(comparison: Comparison, data: LabelledSplit) -> Section:
    rows = tuple(
        _figure_row(entry, data)
        for entry in sorted(
            comparison.entries, key=lambda entry: -entry.on[data.name].figures.auc.value
        )
    )
    title = f"{plain(data.name)}, {data.split}"
    return Section(title, (), Table(_FIGURE_HEADER, rows, numbers_from=2))


def _figure_row(entry: Entry, data: LabelledSplit) -> tuple[str, ...]:
    on = entry.on[data.name]
    found = on.figures
    return (
        plain(entry.label),
        plain(entry.trained_on) or "not stated",
        str(found.auc),
        _percent(found.accuracy),
        f"{found.sensitive_sensitivity}, {found.sensitive_specificity}",
        f"{found.specific_sensitivity}, {found.specific_specificity}",
        _copies(on, data),
    )


def _copies(on: OnSet, data: LabelledSplit) -> str:
    if on.copies is None:
        return "not known"
    if not on.copies:
        return "no exact ones"
    return f"LEAKS: {on.copies} of {len(data.rows)} ({share(on.copies, len(data.rows))})"


def _curves(pictures: Collection[str]) -> Section:
    if ROC_PICTURE not in pictures:
        return Section("")
    return Section("Curves", picture=ROC_PICTURE, caption="ROC curves of every classifier")


def _cost(comparison: Comparison, pictures: Collection[str]) -> Section:
    header = ("classifier", "parameters", "weights", "images per second", "where")
    rows = tuple(_cost_row(entry) for entry in comparison.entries)
    picture = COST_PICTURE if COST_PICTURE in pictures else ""
    sentence = (
        "Images per second: prepared and scored, decoding left out, on the first of the sets. "
        "An ensemble takes the time of all its members."
    )
    caption = "What it costs, and what it brings"
    return Section("Cost", (sentence,), Table(header, rows), picture, caption)


def _cost_row(entry: Entry) -> tuple[str, ...]:
    first = next(iter(entry.on.values()))
    return (
        plain(entry.label),
        f"{entry.parameters / 1e6:.2f} M",
        f"{entry.weights_bytes / 1e6:.1f} MB",
        f"{first.images_per_second:.1f}",
        first.machine,
    )


def _ensembles(comparison: Comparison) -> Section:
    rows = tuple(
        (plain(entry.label), plain(label), f"{weight:+.3f}")
        for entry in comparison.entries
        for label, weight in entry.members
    )
    if not rows:
        return Section("")
    sentence = (
        "Of the members' calibrated logits. The stack's weights and the operating points of both "
        "come from the validation split."
    )
    header = ("ensemble", "member", "weight")
    return Section("Ensembles", (sentence,), Table(header, rows, numbers_from=2))


def _trainings(comparison: Comparison) -> Section:
    rows = tuple(_training_row(entry) for entry in comparison.entries if not entry.members)
    header = ("classifier", "trained on", "epochs, time and machine", "what finishes it")
    return Section("Trainings", (), Table(header, rows, numbers_from=9))


def _training_row(entry: Entry) -> tuple[str, ...]:
    leaking = ", WHICH LEAKS" if entry.training and entry.training.leaking else ""
    return (
        plain(entry.label),
        f"{plain(entry.trained_on) or 'not stated'}{leaking}",
        str(entry.training) if entry.training else "not stated",
        plain(entry.command) or "finished" if entry.training else "not stated",
    )


def _reading() -> Section:
    return Section(
        "How to read it",
        (
            "Brackets are 95 % bootstrap intervals over sources. A film and all its copies are one "
            "source.",
            "Both operating points are each classifier's own, chosen on the validation split of "
            "the set that it was trained on.",
            "Copies are exact ones, by their decoded pixels. Turned and near copies count for "
            "nothing here; `nightread dataset` finds them.",
            f"The sets {PUBLISHED}, {CLEAN} and {FRACATLAS} are known by these names, and what a "
            "classifier was trained on by the digest of its validation split.",
        ),
    )
