"""``nightread train``: follows a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.run_folder import EpochReport


def train(
    data: Annotated[Path, typer.Option(help="Folder of a labelled set with its index.csv.")],
    run: Annotated[Path, typer.Option(help="Folder for all that the training writes.")],
    recipe: Annotated[str, typer.Option(help="A shipped recipe, or a TOML file.")] = "mobilenet_v2",
    backbone: Annotated[
        Path | None, typer.Option(help="ImageNet weights, where the recipe starts from them.")
    ] = None,
    version: Annotated[str, typer.Option(help="Of the bundle that comes of it.")] = "0.1.0",
    resume: Annotated[bool, typer.Option(help="Go on with the training in the folder.")] = False,
) -> None:
    """Train a classifier on a labelled set."""
    from nightread.terminal import progress, remark, remarks

    try:
        from models.training import train as follow
    except ModuleNotFoundError as error:
        from screening.errors import DependencyError

        raise DependencyError(
            f"{error.name} is not installed: pip install 'nightread[train]'"
        ) from None

    def tell(report: EpochReport) -> None:
        best = ", the best so far" if report.best else ""
        remark(
            f"epoch {report.epoch} of {report.epochs}: loss {report.loss:.4f}, validation AUC "
            f"{report.validation_auc:.4f}{best} ({report.seconds:.0f} s)"
        )

    with progress(remarks()) as bar:
        task = bar.add_task("training", total=None)
        folder = follow(
            recipe,
            data,
            run,
            backbone=backbone,
            resume=resume,
            version=version,
            on_step=lambda step, steps: bar.update(task, completed=step, total=steps),
            on_epoch=tell,
        )
    remark(f"trained; to score with it: NIGHTREAD_MODEL={folder.path / 'bundle'} nightread up")
