"""What a bundle says of the training that it comes from: on what, how far, and what finishes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from models.optimisation import OptimisationSettings


@dataclass(frozen=True, slots=True)
class Training:
    """How a classifier came to be.

    Attributes
    ----------
    recipe
        Its name; empty where the bundle does not say.
    data
        Name of the set.
    validation_sha256
        Digest of its validation split, by which a set is known under any name.
    leaking
        Whether validation images are copies of training images.
    epochs, planned
        How many were done, and how many the recipe asks for.
    stopped_early
        Whether the recipe's early stopping ended it, so that nothing is left to do.
    minutes
        That it took.
    machine
        Where it ran; empty where the bundle does not say.
    needs_start
        Whether the recipe starts from weights that the user gives.
    """

    recipe: str
    data: str
    validation_sha256: str
    leaking: bool
    epochs: int
    planned: int
    stopped_early: bool
    minutes: float
    machine: str
    needs_start: bool

    @property
    def finished(self) -> bool:
        """Whether the recipe was followed to its end."""
        return self.stopped_early or self.epochs >= self.planned

    def __str__(self) -> str:
        done = f"{self.epochs} of {self.planned} epochs"
        early = ", stopped early as the recipe asks" if self.stopped_early else ""
        where = f" on {self.machine}" if self.machine else ""
        return f"{done}{early}, {self.minutes:.0f} min{where}"

    def command(self, data: str, run: str) -> str:
        """Return the command that does the rest of it."""
        start = ["--start", "WEIGHTS"] if self.needs_start else []
        words = ["nightread", "train", self.recipe, "--data", data, "--run", run, *start]
        return shlex.join([*words, "--resume"])


def read_training(metadata: Mapping[str, Any], run: Path | None = None) -> Training | None:
    """Return what the metadata of a bundle says of its training.

    Parameters
    ----------
    metadata
        All of ``configs/metadata.json``.
    run
        Folder of the training, where it is at hand: its history tells an early stop.

    Returns
    -------
    Training or None
        ``None`` if it says nothing, as of a bundle that was imported.
    """
    told = metadata.get("nightread", {}).get("training")
    if not isinstance(told, dict) or "epochs" not in told:
        return None
    recipe = told.get("recipe", {})
    data = told.get("data", {})
    validation = data.get("val", {})
    versions = told.get("versions", {})
    return Training(
        recipe=str(told.get("reference") or recipe.get("name", "")),
        data=str(data.get("name", "")),
        validation_sha256=str(validation.get("sha256", "")),
        leaking=bool(data.get("leaking", False)),
        epochs=int(told["epochs"]),
        planned=int(told.get("planned_epochs") or _planned(recipe) or told["epochs"]),
        stopped_early=_stopped_early(recipe, int(told["epochs"]), run),
        minutes=float(told.get("minutes", 0)),
        machine=str(told.get("device") or versions.get("device") or ""),
        needs_start=recipe.get("initial") in {"backbone", "bundle"},
    )


def _planned(recipe: Mapping[str, Any]) -> int:
    cycles = recipe.get("optimisation", {}).get("cycles", ())
    return sum(int(cycle["epochs"]) for cycle in cycles)


def _stopped_early(recipe: Mapping[str, Any], epochs: int, run: Path | None) -> bool:
    """Ask the recipe's own rule, of the losses that the run has kept."""
    try:
        history = json.loads(((run or Path()) / "history.json").read_bytes())
        losses = [float(entry["validation_loss"]) for entry in history[:epochs]]
        settings = TypeAdapter(OptimisationSettings).validate_python(recipe["optimisation"])
    except (OSError, ValueError, TypeError, KeyError):
        # An older run keeps no such losses, and its recipe had no early stop.
        return False
    return run is not None and settings.exhausted(losses)
