"""Follow a recipe: train on a set's train split, select on its validation split, keep a bundle.

The test split is never opened here; :mod:`models.evaluation` does that, once, at the end.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.bundle import read_bundle
from models.dataset import LabelledRadiograph, digest, leaks, read_split
from models.epoch_report import EpochReport
from models.evaluation.leakage import trained_on_a_leak
from models.publishing import publish
from models.recipe import Recipe, name_recipe, read_recipe
from models.run_folder import RunFolder
from models.trainer import Trainer


def _ignore_step(step: int, steps: int) -> None:
    """Say nothing of a step."""


def _ignore_epoch(report: EpochReport) -> None:
    """Say nothing of an epoch."""


def _ignore_leak(copies: int, images: int) -> None:
    """Say nothing of a leak."""


def train(
    recipe: Recipe | str | Path,
    data: Path,
    run: Path,
    *,
    start: Path | None = None,
    resume: bool = False,
    stop_after: int | None = None,
    version: str = "0.1.0",
    on_step: Callable[[int, int], None] = _ignore_step,
    on_epoch: Callable[[EpochReport], None] = _ignore_epoch,
    on_leak: Callable[[int, int], None] = _ignore_leak,
) -> RunFolder:
    """Train a classifier and make a bundle of its best weights.

    The bundle is ``run/bundle``: calibrated, with its operating points and its card, and without
    test figures, which :func:`models.evaluation.evaluate` measures.

    Parameters
    ----------
    recipe
        Itself, the name of a shipped one, or a TOML file.
    data
        Folder of a labelled set with the splits ``train`` and ``val``.
    run
        Folder for everything that the training writes.
    start
        Weights to start from, where the recipe asks for them: ImageNet's, a ``.pth`` with
        torchvision's names, or another training's bundle.
    resume
        Go on after the last whole epoch of the training in ``run``. An interrupted training gives
        the same weights as one that ran through; a finished one only makes its bundle again.
    stop_after
        Stop when so many epochs have been done in all, make the bundle of the best of them, and
        leave the rest to a later call with ``resume``. ``None`` for all that the recipe wants.
    version
        Of the bundle.
    on_step
        Called after each batch with its number, from 1, and how many the epoch has.
    on_epoch
        Called after each epoch.
    on_leak
        Called where images of the validation split are exact copies of train images or of the same
        group, with how many and of how many: what is measured there is memory. The run and the
        bundle are marked.

    Raises
    ------
    TrainingError
        If the recipe, the data, the backbone or the folder cannot be used.
    """
    reference = recipe.name if isinstance(recipe, Recipe) else name_recipe(recipe)
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    train_rows, validation_rows = read_split(data, "train"), read_split(data, "val")
    # Everything that can be wrong with the images or the weights shows here, before a file is made.
    trainer = Trainer(recipe, train_rows, validation_rows, start)
    folder = RunFolder(run)
    folder.begin(
        {
            "recipe": recipe.as_dict(),
            "reference": reference,
            "data": _described(data, train_rows, validation_rows, start, on_leak),
            "backbone_sha256": _file_digest(start),
        },
        resume,
    )
    epochs = min(stop_after or recipe.optimisation.epochs, recipe.optimisation.epochs)
    _run_epochs(trainer, folder, epochs, on_step, on_epoch)
    publish(recipe, data, folder, folder.bundle, version)
    return folder


def _described(
    data: Path,
    train_rows: Sequence[LabelledRadiograph],
    validation_rows: Sequence[LabelledRadiograph],
    start: Path | None,
    on_leak: Callable[[int, int], None],
) -> dict[str, Any]:
    """Return what a run's settings say of its data, and tell of copies between the splits."""
    known = {row.group for row in train_rows if row.group}
    copies = {row.path for row in leaks(train_rows, validation_rows)}
    leaked = sum(row.group in known or row.path in copies for row in validation_rows)
    if leaked:
        on_leak(leaked, len(validation_rows))
    return {
        "name": data.resolve().name,
        "train": {"images": len(train_rows), "sha256": digest(train_rows)},
        "val": {
            "images": len(validation_rows),
            "sha256": digest(validation_rows),
            "known_from_train": leaked,
        },
        "leaking": leaked > 0 or _started_on_a_leak(start),
    }


def _started_on_a_leak(start: Path | None) -> bool:
    """Tell whether the weights to start from have seen more than they should have."""
    if start is None or start.is_file():
        return False
    return trained_on_a_leak(read_bundle(start).metadata)


def _file_digest(path: Path | None) -> str | None:
    if path is None:
        return None
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return read_bundle(path).settings.weights_sha256


def _run_epochs(
    trainer: Trainer,
    folder: RunFolder,
    epochs: int,
    on_step: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None],
) -> None:
    history: list[EpochReport] = []
    kept = folder.checkpoint()
    if kept is not None:
        state, history = kept
        trainer.restore(state, len(history))
    chosen = trainer.recipe.optimisation
    while len(history) < epochs:
        if chosen.exhausted([report.validation_loss for report in history]):
            break
        report = trainer.run_epoch(len(history), on_step)
        best = chosen.keep == "last" or all(
            report.validation_auc > entry.validation_auc for entry in history
        )
        history.append(dataclasses.replace(report, best=best))
        if best:
            folder.save_best(trainer.averaged.module.state_dict())
        folder.save(trainer.state(), history)
        on_epoch(history[-1])
