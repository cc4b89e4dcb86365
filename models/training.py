"""Follow a recipe: train on a set's train split, select on its validation split, keep a bundle.

The test split is never opened here; :mod:`models.evaluation` does that, once, at the end.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from models.dataset import digest, read_split
from models.publishing import publish
from models.recipe import Recipe, read_recipe
from models.run_folder import EpochReport, RunFolder
from models.trainer import Trainer


def _ignore_step(step: int, steps: int) -> None:
    """Say nothing of a step."""


def _ignore_epoch(report: EpochReport) -> None:
    """Say nothing of an epoch."""


def train(
    recipe: Recipe | str | Path,
    data: Path,
    run: Path,
    *,
    backbone: Path | None = None,
    resume: bool = False,
    version: str = "0.1.0",
    on_step: Callable[[int, int], None] = _ignore_step,
    on_epoch: Callable[[EpochReport], None] = _ignore_epoch,
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
    backbone
        ImageNet weights, a ``.pth`` with torchvision's names, where the recipe starts from them.
    resume
        Go on after the last whole epoch of the training in ``run``. An interrupted training gives
        the same weights as one that ran through; a finished one only makes its bundle again.
    version
        Of the bundle.
    on_step
        Called after each batch with its number, from 1, and how many the epoch has.
    on_epoch
        Called after each epoch.

    Raises
    ------
    TrainingError
        If the recipe, the data, the backbone or the folder cannot be used.
    """
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    train_rows, validation_rows = read_split(data, "train"), read_split(data, "val")
    folder = RunFolder(run)
    folder.begin(
        {
            "recipe": recipe.as_dict(),
            "data": {
                "train": {"images": len(train_rows), "sha256": digest(train_rows)},
                "val": {"images": len(validation_rows), "sha256": digest(validation_rows)},
            },
            "backbone_sha256": _file_digest(backbone),
        },
        resume,
    )
    trainer = Trainer(recipe, train_rows, validation_rows, backbone)
    _run_epochs(trainer, folder, on_step, on_epoch)
    publish(recipe, data, folder, folder.bundle, version)
    return folder


def _file_digest(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run_epochs(
    trainer: Trainer,
    folder: RunFolder,
    on_step: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None],
) -> None:
    history: list[EpochReport] = []
    kept = folder.checkpoint()
    if kept is not None:
        state, history = kept
        trainer.restore(state)
    labels = [row.fractured for row in trainer.validation_rows]
    epochs = trainer.recipe.optimisation.epochs
    for epoch in range(len(history), epochs):
        started = time.monotonic()
        loss = trainer.run_epoch(epoch, on_step)
        scores = [reading.image + reading.top for reading in trainer.validate()]
        auc = float(roc_auc_score(labels, np.array(scores)))
        best = all(auc > entry.validation_auc for entry in history)
        report = EpochReport(epoch + 1, epochs, loss, auc, time.monotonic() - started, best)
        history.append(report)
        if best:
            folder.save_best(trainer.averaged.module.state_dict())
        folder.save(trainer.state(), history)
        on_epoch(report)
