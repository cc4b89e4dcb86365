"""From a finished training to a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.bundle_folder import write_bundle
from models.dataset import read_split
from models.monai_metadata import monai_metadata
from models.networks.registry import build_network, dotted_name
from models.output_folder import replaced_folder
from models.recipe import Recipe
from models.recording import fit_familiarity
from models.run_folder import RunFolder
from models.selection import choose_on_views
from models.validation import read_views


def publish(recipe: Recipe, data: Path, run: RunFolder, bundle: Path, version: str) -> Path:
    """Make a bundle of a training's best weights; calibrate it on the validation split alone.

    Parameters
    ----------
    recipe
        That was followed.
    data
        The labelled set that it was trained on.
    run
        The training's folder.
    bundle
        Folder of the bundle to make; a former one is replaced.
    version
        Of the bundle.

    Returns
    -------
    Path
        The bundle's folder. Its card says that no test figures are recorded yet.

    Raises
    ------
    TrainingError
        If the training or validation split cannot be read, or the bundle cannot be written.
    """
    return make_bundle(recipe, run.best(), run.summary(), data, bundle, version)


def make_bundle(
    recipe: Recipe,
    state: Mapping[str, Tensor],
    training: Mapping[str, Any],
    data: Path,
    bundle: Path,
    version: str,
) -> Path:
    """Make a bundle of weights, calibrated on a set's validation split.

    It appears whole or not at all: one without its card and its familiarity would load.

    Parameters
    ----------
    recipe
        Network, input and card.
    state
        The network's weights.
    training
        What the metadata says of how they came about.
    data, bundle, version
        As for :func:`publish`.
    """
    network = build_network(recipe.network, recipe.network_arguments).eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.load_state_dict(state)
    rows = read_split(data, "val")
    readings = read_views(network, rows, recipe.input, recipe.loss.top_share)
    calibration, points = choose_on_views(readings, [row.fractured for row in rows])
    metadata = monai_metadata(
        recipe.name,
        version,
        "trained by `nightread train`",
        recipe.card,
        recipe.network,
        recipe.input.size,
    )
    metadata["nightread"] = {
        "input": dataclasses.asdict(recipe.input),
        "top_share": recipe.loss.top_share,
        "calibration": dataclasses.asdict(calibration),
        "operating_points": dataclasses.asdict(points),
        "limits": list(recipe.card.limits),
        "training": dict(training),
        "figures": {},
    }
    target, arguments = dotted_name(recipe.network), recipe.network_arguments
    with replaced_folder(bundle) as folder:
        write_bundle(folder, target, arguments, network.state_dict(), metadata)
        fit_familiarity(folder, data)
    return bundle
