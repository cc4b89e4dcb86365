"""``nightread train``: follows a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from screening.errors import DependencyError, TrainingError

if TYPE_CHECKING:
    from models.epoch_report import EpochReport
    from models.run_folder import RunFolder


def train(
    recipe: Annotated[
        str, typer.Argument(help="A shipped recipe, or a TOML file.")
    ] = "mobilenet_v2",
    data: Annotated[
        Path | None, typer.Option(help="Folder of a labelled set with its index.csv.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder for all that it writes [runs/RECIPE].")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--start", "--backbone", help="Weights to start from: a checkpoint or bundle."
        ),
    ] = None,
    version: Annotated[str, typer.Option(help="Of the bundle that comes of it.")] = "0.1.0",
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="Epochs; the rest later, with --resume.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the training in the folder.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Name the shipped recipes.")] = False,
) -> None:
    """Train a classifier on a labelled set, as a recipe says."""
    from nightread.terminal import remark, write

    if names:
        write("".join(f"{name}\n" for name in _recipes()))
        return
    if data is None:
        raise TrainingError("there is nothing to learn from: give a labelled set with --data")
    run = run or Path("runs") / Path(recipe).stem
    folder = _follow(recipe, data, run, start, version, stop_after, resume)
    remark(f"trained; to score with it: NIGHTREAD_MODEL={folder.bundle} nightread up")


def _recipes() -> list[str]:
    try:
        from models.recipe import list_recipes
    except ModuleNotFoundError as error:
        raise _not_installed(error) from None
    return list_recipes()


def _not_installed(error: ModuleNotFoundError) -> DependencyError:
    return DependencyError(f"{error.name} is not installed: pip install 'nightread[train]'")


def _follow(
    recipe: str,
    data: Path,
    run: Path,
    start: Path | None,
    version: str,
    stop_after: int | None,
    resume: bool,
) -> RunFolder:
    """Train, with a progress bar on stderr."""
    from nightread.terminal import progress, remark, remarks

    try:
        from models.training import train as follow
    except ModuleNotFoundError as error:
        raise _not_installed(error) from None

    def warn(copies: int, images: int) -> None:
        remark(
            f"WARNING: THIS SPLIT LEAKS. {copies} of {images} validation images are exact copies "
            "of training images, or of their group: what is measured on them is memory, not skill. "
            "The run and its bundle are marked as leaking; `nightread dataset` proposes a split "
            "that does not leak"
        )

    with progress(remarks()) as bar:
        task = bar.add_task("reading", total=None)

        def show(step: int, steps: int) -> None:
            bar.update(task, description="training", completed=step, total=steps)

        return follow(
            recipe,
            data,
            run,
            start=start,
            resume=resume,
            stop_after=stop_after,
            version=version,
            on_step=show,
            on_epoch=lambda report: remark(_line(report)),
            on_leak=warn,
        )


def _line(report: EpochReport) -> str:
    best = ", the best so far" if report.best else ""
    left = (report.epochs - report.epoch) * report.seconds / 60
    return (
        f"epoch {report.epoch} of {report.epochs}: loss {report.loss:.4f}, validation AUC "
        f"{report.validation_auc:.4f}{best} ({report.seconds:.0f} s; {left:.0f} min left)"
    )
