"""The figures on a model card, from a bundle's metadata alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NONE_YET = "No test figures are recorded in this bundle. Measure it before you rely on it."

_HEADER = (
    *("set", "images (fractured)", "AUC"),
    "sensitivity, specificity at the high-sensitivity point",
    *("at the high-specificity point", "calibration error", "pointing game"),
)
_LEGEND = (
    "Brackets: 95 % bootstrap intervals over source radiographs. Pointing game: of "
    "the fractured images with outlines, the share whose hottest point lies in one."
)
_LEAKING = (
    "A set marked as *leaking* shares images, or their sources, with the training: its figures "
    "measure memory, not skill."
)
_MORE = (
    *("set", "average precision", "Brier score"),
    *("sensitivity at 90 %, 95 % specificity", "specificity at 90 %, 95 % sensitivity"),
    "pointing game, found",
    "pointing game, suspected",
)
_MORE_LEGEND = (
    "Sensitivity at a specificity, and the other way round, are had by thresholds chosen on the "
    "set itself: they describe the ranking, and no threshold of the bundle. Found is at the "
    "high-sensitivity point, suspected at the high-specificity point."
)
_POINTS = ("set and threshold", "accuracy", "precision", "sensitivity", "F1", "Cohen's kappa")
_POINT_FIGURES = ("accuracy", "precision", "sensitivity", "f1", "kappa")
_POINT_NAMES = {
    "high_sensitivity": "high sensitivity",
    "half": "one half",
    "high_specificity": "high specificity",
}


def render_figures(figures: Mapping[str, Any]) -> str:
    """Return recorded figures as Markdown: tables of all sets, then one of each set's parts.

    Parameters
    ----------
    figures
        From the name of a set to `models.evaluation.Figures.as_dict`. Bundles up to 0.1.0 hold
        fewer: what is not there is left out.
    """
    if not figures:
        return NONE_YET
    speeds = ", ".join(f"{item['images_per_second']:.0f}" for item in figures.values())
    legend = (
        f"{_LEGEND} Speed where it was measured: {speeds} images per second, decoding left out."
    )
    if any(item.get("leaking") for item in figures.values()):
        legend = f"{legend} {_LEAKING}"
    rich = {name: item for name, item in figures.items() if "average_precision" in item}
    parts = [_table(_HEADER, (_row(_named(name, item), item) for name, item in figures.items()))]
    parts.append(legend)
    if rich:
        parts += [_table(_MORE, (_more(name, item) for name, item in rich.items())), _MORE_LEGEND]
        parts.append(_table(_POINTS, (row for name in rich for row in _points(name, rich[name]))))
    divided = {name: item["subgroups"] for name, item in rich.items() if item.get("subgroups")}
    for name, subgroups in divided.items():
        rows = (_row(_plain(item["name"]), item) for item in subgroups)
        parts += [f"Parts of {_plain(name)}:", _table(("part", *_HEADER[1:]), rows)]
    return "\n\n".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _plain(name: str) -> str:
    return " ".join(name.split()).replace("|", "\\|")


def _named(name: str, item: Mapping[str, Any]) -> str:
    return f"{_plain(name)} (*leaking*)" if item.get("leaking") else _plain(name)


def _row(name: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    error = f"{item['calibration_error']:.3f}" if "ece" not in item else _estimate(item["ece"])
    return (
        name,
        f"{item['images']} ({item['fractured']})",
        _estimate(item["auc"]),
        _point(item["high_sensitivity"]),
        _point(item["high_specificity"]),
        error,
        _estimate(item["pointing"]) if item["pointing"] else "no outlines",
    )


def _more(name: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    found, suspected = item["pointing_true_positives"], item.get("pointing_suspected")
    return (
        _named(name, item),
        _estimate(item["average_precision"]),
        _estimate(item["brier"]),
        _fixed(item["sensitivity_at_specificity"]),
        _fixed(item["specificity_at_sensitivity"]),
        _estimate(found) if found else "no outlines",
        _estimate(suspected) if suspected else "none",
    )


def _fixed(items: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(_estimate(item["figure"]) for item in items)


def _points(name: str, item: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            f"{_plain(name)}, {words} ({item[key]['threshold']:.4f})",
            *(_estimate(item[key][figure]) for figure in _POINT_FIGURES),
        )
        for key, words in _POINT_NAMES.items()
    ]


def _point(item: Mapping[str, Any]) -> str:
    return f"{_estimate(item['sensitivity'])}, {_estimate(item['specificity'])}"


def _estimate(item: Mapping[str, float]) -> str:
    return f"{item['value']:.3f} [{item['low']:.3f}, {item['high']:.3f}]"
