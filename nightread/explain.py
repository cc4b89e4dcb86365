"""``nightread explain``: where a classifier looks, and whether the heatmaps can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.classifier import Classifier
    from models.dataset import LabelledRadiograph
    from models.evaluation.pointing_game import PointingFigures
    from models.explanation.method import Method
    from models.explanation.survey import Contrast, SurveyFigures


class MethodName(StrEnum):
    """The names of `models.explanation.method.Method`, without loading torch."""

    CELLS = "cells"
    GRADCAM = "gradcam"
    OCCLUSION = "occlusion"
    LIME = "lime"


def explain(
    files: Annotated[
        list[Path] | None, typer.Argument(help="JPEG, PNG or DICOM files; or give --data.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A labelled set: its fractures are explained.")
    ] = None,
    out: Annotated[Path, typer.Option(help="New folder for the pictures.")] = Path("explanations"),
    bundle: Annotated[str, typer.Option(help="Name or folder [NIGHTREAD_MODEL].")] = "",
    method: Annotated[
        MethodName, typer.Option(help="Quick: cells, gradcam. Slow: occlusion, lime.")
    ] = MethodName.GRADCAM,
    passes: Annotated[
        int, typer.Option(min=0, help="Forward passes per image, occlusion and lime; 0: usual.")
    ] = 0,
    split: Annotated[str, typer.Option(help="Of the set [test, or all].")] = "",
    root: Annotated[
        Path | None, typer.Option(help="Where a CSV's paths start [its own folder].")
    ] = None,
    images: Annotated[int, typer.Option(min=0, help="So many fractures of the set; 0: all.")] = 0,
    steps: Annotated[
        int, typer.Option(min=0, help="Of deletion and insertion; 0: do not measure.")
    ] = 16,
    mistakes: Annotated[
        int, typer.Option(min=0, help="Draw so many of the worst errors of each kind.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Show where a classifier looks, and measure it.

    Of files: a picture with the heatmap and a line of JSON for each. Of a labelled set: the same
    for its fractures, with the pointing game and the deletion and insertion scores.
    """
    if bool(files) == (data is not None):
        raise typer.BadParameter("give image files, or a labelled set with --data")
    from models.output_folder import require_new
    from nightread.terminal import remark

    require_new(out)
    wanted = Wanted(out, method, passes or None)
    if data is None:
        _explain_files(wanted, bundle, files or [], as_json)
    else:
        figures = _explain_set(
            wanted, bundle, Selection(data, root, split, images), steps, mistakes
        )
        _tell(figures, as_json)
    remark(f"{out} has the pictures, and explanations.jsonl a line for each")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where to, by which method, and with how many passes; ``None`` for their usual number."""

    out: Path
    method: MethodName
    passes: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """A labelled set, and which of its fractures: a split or empty, and how many or 0 for all."""

    data: Path
    root: Path | None
    split: str
    images: int


def _checked(wanted: Wanted) -> Method:
    from models.explanation.method import Method, require_passes

    method = Method(wanted.method)
    try:
        require_passes(method, wanted.passes)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return method


def _classifier(bundle: str) -> Classifier:
    from models.classifier import load_classifier
    from screening.settings_source import load_settings

    return load_classifier(bundle or load_settings().model)


def _explain_files(wanted: Wanted, bundle: str, files: list[Path], as_json: bool) -> None:
    from models.explanation.gallery import explain_files
    from nightread.terminal import progress, remarks, write, write_json
    from worklist.plain_text import plain

    method, classifier = _checked(wanted), _classifier(bundle)
    with progress(remarks()) as bar:
        task = bar.add_task("explaining", total=len(files))
        lines = explain_files(
            classifier,
            files,
            method,
            wanted.out,
            passes=wanted.passes,
            on_image=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        write_json(lines)
        return
    for line in lines:
        write(f"{plain(line['image'])}: {line['probability']:.3f}, {line['verdict']}\n")


def _explain_set(
    wanted: Wanted, bundle: str, selection: Selection, steps: int, mistakes: int
) -> SurveyFigures:
    from models.explanation.gallery import explain_set
    from models.explanation.survey import choose
    from nightread.terminal import progress, remarks

    rows = _rows(selection)
    chosen = choose(rows, selection.images or None)
    method, classifier = _checked(wanted), _classifier(bundle)
    with progress(remarks()) as bar:
        task = bar.add_task("explaining", total=len(chosen))
        scoring = bar.add_task("scoring", total=len(rows), visible=mistakes > 0)
        return explain_set(
            classifier,
            chosen,
            method,
            wanted.out,
            passes=wanted.passes,
            steps=steps,
            on_image=lambda done, total: bar.update(task, completed=done, total=total),
            errors_of=rows if mistakes else (),
            errors_each=mistakes,
            on_score=lambda done, total: bar.update(scoring, completed=done, total=total),
        )


def _rows(selection: Selection) -> list[LabelledRadiograph]:
    from models.dataset import read_entries, rows_of
    from models.evaluation.assessment import choose_rows

    every = read_entries(selection.data, root=selection.root)
    _, entries = choose_rows(every, selection.split or None)
    return rows_of(entries, selection.data, selection.root)


def _tell(figures: SurveyFigures, as_json: bool) -> None:
    from models.explanation.gallery import plain_figures
    from nightread.terminal import write, write_json

    if as_json:
        write_json(plain_figures(figures))
        return
    lines = [f"{figures.images} fractured images of {figures.groups} sources"]
    lines += _pointing_lines(figures.pointing)
    lines += _contrast_line("mean score while the hottest is blurred first", figures.deletion)
    lines += _contrast_line("mean score while the hottest comes back first", figures.insertion)
    lines += _contrast_line("fall of the score when one region is blurred", figures.blurred)
    write("".join(f"{line}\n" for line in lines))


def _pointing_lines(figures: PointingFigures | None) -> list[str]:
    if figures is None:
        return ["no outlined fractures: no pointing game"]
    parts = (
        ("all", figures.positives, figures.images),
        ("not called clear", figures.found, figures.images_found),
        ("suspected", figures.suspected, figures.images_suspected),
    )
    told = [
        f"hottest point in a fracture box, {name} ({count}): {estimate}"
        for name, estimate, count in parts
        if estimate is not None
    ]
    return [*told, f"boxes cover {figures.boxes_area:.3f} of a film on average"]


def _contrast_line(what: str, contrast: Contrast | None) -> list[str]:
    if contrast is None:
        return []
    return [f"{what}: {contrast.heatmap}; by chance {contrast.chance}; gain {contrast.gain}"]
