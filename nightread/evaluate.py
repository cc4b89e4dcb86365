"""``nightread evaluate``: measures a classifier on a labelled set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from screening.errors import DependencyError

if TYPE_CHECKING:
    from rich.table import Table

    from models.evaluation import Assessment, Estimate, Measured, PointFigures


def evaluate(
    data: Annotated[Path, typer.Option(help="A CSV (path, label), its folder, or class folders.")],
    bundle: Annotated[str, typer.Option(help="Name or folder [NIGHTREAD_MODEL].")] = "",
    root: Annotated[
        Path | None, typer.Option(help="Where a CSV's paths start [its own folder].")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Or all [test where there is one, else all].")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE, only such rows; may be repeated.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Columns to divide by, with commas [the known ones].")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for a report.")] = None,
    record: Annotated[
        str, typer.Option(help="Write the figures to the bundle's card under this name.")
    ] = "",
    path_column: Annotated[str, typer.Option(help="A CSV's paths.")] = "path",
    label_column: Annotated[str, typer.Option(help="A CSV's labels.")] = "label",
    split_column: Annotated[str, typer.Option(help="A CSV's split [split].")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write the figures as JSON.")] = False,
) -> None:
    """Measure a classifier on a labelled set, with intervals.

    Thresholds are the bundle's own. Images that cannot be scored are listed with the reason.
    """
    chosen = _conditions(where or [])
    try:
        from models.audit.table import Columns
        from models.evaluation import Measured
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"{error.name} is not installed: pip install 'nightread[train]'"
        ) from None
    from nightread.terminal import print_result, write_json

    if out is not None:
        _prepare_report(out)
    columns = Columns(path_column, label_column, split_column)
    divided = None if by is None else tuple(filter(None, by.split(",")))
    assessment = _assess(bundle, Measured(data, root, columns, split, chosen, divided))
    if out is not None:
        _report(_bundle(bundle), assessment, out)
    if record:
        _record(bundle, record, assessment)
    if as_json:
        write_json(assessment.as_dict())
    else:
        print_result(*_tables(assessment))


def _conditions(where: list[str]) -> dict[str, str]:
    found = {}
    for item in where:
        column, separator, value = item.partition("=")
        if not separator or not column:
            raise typer.BadParameter(f"{item!r} is not COLUMN=VALUE", param_hint="--where")
        found[column] = value
    return found


def _prepare_report(out: Path) -> None:
    """Refuse what a report needs and lacks before the work, not after it."""
    from models.output_folder import require_new

    require_new(out)
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise DependencyError(
            "matplotlib, which draws the report's charts, is not installed: "
            "pip install 'nightread[train]'"
        ) from None


def _bundle(name: str) -> str:
    from screening.settings_source import load_settings

    return name or load_settings().model


def _assess(bundle: str, measured: Measured) -> Assessment:
    """Measure with a progress bar on stderr, and say there what was measured."""
    from models.evaluation import assess
    from models.evaluation.account import headlines
    from nightread.terminal import progress, remark, remarks

    with progress(remarks()) as bar:
        task = bar.add_task("scoring", total=None)
        assessment = assess(
            _bundle(bundle),
            measured,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if measured.split is None:
        rows = "every row" if assessment.split == "all" else f"the split {assessment.split}"
        remark(f"measured {rows}; --split chooses another")
    for line in headlines(assessment):
        remark(line)
    return assessment


def _report(bundle: str, assessment: Assessment, out: Path) -> None:
    from models.classifier import load_classifier
    from models.evaluation.report import write_report
    from nightread.terminal import remark

    write_report(assessment, out, load_classifier(bundle))
    remark(f"{out / 'report.html'} has the rest")


def _record(bundle: str, label: str, assessment: Assessment) -> None:
    from models.bundle import find_bundle
    from models.recording import record_figures
    from nightread.terminal import remark

    folder = find_bundle(_bundle(bundle))
    record_figures(folder, {label: assessment.figures})
    remark(f"recorded as {label!r} in {folder}")


def _tables(assessment: Assessment) -> list[str | Table]:
    from worklist.plain_text import plain

    figures, identity = assessment.figures, assessment.identity
    lines = [
        f"{plain(identity.name)} {plain(identity.version)}: {figures.images} images, "
        f"{figures.fractured} fractured, {figures.groups} sources"
        + (", LEAKING" if figures.leaking else ""),
        _named("AUC", figures.auc),
        _named("average precision", figures.average_precision),
        _named("calibration error", figures.ece),
        _named("Brier score", figures.brier),
    ]
    if figures.pointing is not None:
        lines.append(_named("pointing game", figures.pointing))
    if figures.pointing_true_positives is not None:
        lines.append(_named("  of those found", figures.pointing_true_positives))
    if figures.pointing_suspected is not None:
        lines.append(_named("  of those suspected", figures.pointing_suspected))
    parts = [_parts(assessment)] if figures.subgroups else []
    return ["\n".join(lines), _points(assessment), *parts]


def _named(name: str, value: Estimate) -> str:
    return f"{name:<20}{value}"


def _points(assessment: Assessment) -> Table:
    figures = assessment.figures
    points = {
        "high sensitivity": figures.high_sensitivity,
        "one half": figures.half,
        "high specificity": figures.high_specificity,
    }
    header = ("threshold", "", "sensitivity", "specificity", "accuracy", "F1", "kappa")
    table = _table(header)
    for name, point in points.items():
        table.add_row(name, f"{point.threshold:.4f}", *_cells(point))
    return table


def _cells(point: PointFigures) -> tuple[str, ...]:
    shown = (point.sensitivity, point.specificity, point.accuracy)
    return (*map(str, shown), f"{point.f1.value:.3f}", f"{point.kappa.value:.3f}")


def _parts(assessment: Assessment) -> Table:
    from worklist.plain_text import plain

    table = _table(("part", "images", "AUC", "found, high sens.", "cleared, high spec."))
    for part in assessment.figures.subgroups:
        counts = f"{part.images} ({part.fractured})"
        found, cleared = part.high_sensitivity.sensitivity, part.high_specificity.specificity
        table.add_row(plain(part.name), counts, str(part.auc), str(found), str(cleared))
    return table


def _table(header: tuple[str, ...]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in header:
        table.add_column(escape(name))
    return table
