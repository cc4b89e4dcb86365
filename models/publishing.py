"""From a finished training to a bundle, and from figures to its metadata and card."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from models.acquainting import acquaint
from models.bundle import (
    CARD,
    FAMILIARITY,
    METADATA,
    NETWORK,
    WEIGHTS,
    read_bundle,
    settings_digest,
)
from models.calibration import Calibration
from models.card import render_card
from models.classifier import Classifier
from models.dataset import LabelledRadiograph, read_pixels, read_split, unit_range
from models.elsewhere import VIEWS, View
from models.evaluation import Figures
from models.networks.fusion import fold_batch_norms
from models.networks.mobilenet_v2 import CELL
from models.networks.registry import build_network, dotted_name
from models.reading import Reading, read_batch
from models.recipe import Recipe
from models.run_folder import RunFolder, versions
from models.selection import choose_travelling_points, fit_calibration
from models.transforms import Preparation, PreparedImage
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError

_BATCH = 16


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
        Folder of the bundle to make; files of a former one are replaced.
    version
        Of the bundle.

    Returns
    -------
    Path
        The bundle's folder. Its card says that no test figures are recorded yet.

    Raises
    ------
    TrainingError
        If the validation split cannot be read.
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
    calibration, points = _choose(network, recipe, read_split(data, "val"))
    weights = safetensors.torch.save(
        {name: value.contiguous() for name, value in network.state_dict().items()}
    )
    digest = hashlib.sha256(weights).hexdigest()
    metadata = _metadata(recipe, training, version)
    metadata["nightread"] = _settings(recipe, digest, calibration, points) | metadata["nightread"]
    target = dotted_name(recipe.network)
    network_def = {"network_def": {"_target_": target, **recipe.network_arguments}}
    seal(metadata)
    # A bundle appears whole or not at all: one without its card and its familiarity would load.
    part = bundle.parent / f".{bundle.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(part / WEIGHTS, weights)
        _write_json(part / NETWORK, network_def)
        _write_json(part / METADATA, metadata)
        fit_familiarity(part, data)
        shutil.rmtree(bundle, ignore_errors=True)
        part.rename(bundle)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return bundle


def fit_familiarity(
    bundle: Path,
    data: Path,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Let a bundle know what its training images are like, so that it can abstain from others.

    Its weights, calibration and operating points stay. An earlier fit is replaced; the metadata is
    sealed and the card is drawn anew.

    Parameters
    ----------
    bundle
        Its folder.
    data
        The labelled set that it was trained on.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    BundleError
        If the folder is no bundle, or the metadata lacks what the card needs.
    TrainingError
        If the training or validation split cannot be read.
    """
    read = read_bundle(bundle)
    own = read.metadata["nightread"]
    # What was fitted before, and perhaps to other weights, must not be asked for on the way.
    own.pop("familiarity", None)
    former = replace(read, settings=replace(read.settings, familiarity=None))
    content, settings = acquaint(
        Classifier.from_bundle(former), read.settings.input.size, data, on_image=on_image
    )
    own["familiarity"] = dataclasses.asdict(settings)
    seal(read.metadata)
    card = _card(bundle, read.metadata)
    _write(bundle / FAMILIARITY, content)
    _write_json(bundle / METADATA, read.metadata)
    _write(bundle / CARD, card)


def record_kept(bundle: Path, shares: Mapping[str, float]) -> None:
    """Write into a bundle which share of each source it does not call unlike, and draw its card.

    Parameters
    ----------
    bundle
        Its folder.
    shares
        By source, as :func:`models.acquainting.kept_shares` counts them.

    Raises
    ------
    BundleError
        If the folder is no bundle, or the metadata lacks what the card needs.
    """
    metadata = read_bundle(bundle).metadata
    rounded = {name: round(share, 4) for name, share in shares.items()}
    metadata["nightread"].setdefault("familiarity_kept", {}).update(rounded)
    card = _card(bundle, metadata)
    _write_json(bundle / METADATA, metadata)
    _write(bundle / CARD, card)


def seal(metadata: dict[str, Any]) -> None:
    """Note the digest of all that a verdict depends on: an edit is noticed when it is loaded."""
    own = json.loads(json.dumps(metadata["nightread"]))
    metadata["nightread"] = own | {"settings_sha256": settings_digest(own)}


def _choose(
    network: nn.Module, recipe: Recipe, rows: Sequence[LabelledRadiograph]
) -> tuple[Calibration, OperatingPoints]:
    """Calibrate on the validation split, and choose operating points that hold in every view."""
    labels = [row.fractured for row in rows]
    folded = copy.deepcopy(network)
    fold_batch_norms(folded)
    readings = [_read(folded, recipe, rows, view) for view in VIEWS]
    calibration = fit_calibration(readings[0], labels)
    probabilities = [
        np.array([calibration.probability(item.image, item.top) for item in seen])
        for seen in readings
    ]
    cuts = [view.cuts for view in VIEWS]
    return calibration, choose_travelling_points(probabilities, np.array(labels), cuts)


def record_figures(bundle: Path, figures: Mapping[str, Figures]) -> None:
    """Write measured figures into a bundle's metadata and draw its card anew.

    Parameters
    ----------
    bundle
        Its folder.
    figures
        By the name of the set, as the card shall call it.

    Raises
    ------
    BundleError
        If the folder is no bundle, or none that `nightread train` made.
    """
    metadata = read_bundle(bundle).metadata
    recorded = metadata["nightread"].setdefault("figures", {})
    recorded.update({name: item.as_dict() for name, item in figures.items()})
    card = _card(bundle, metadata)
    _write_json(bundle / METADATA, metadata)
    _write(bundle / CARD, card)


def _card(bundle: Path, metadata: Mapping[str, Any]) -> bytes:
    try:
        return render_card(metadata).encode()
    except KeyError as error:
        raise BundleError(
            f"{bundle / METADATA} lacks {error}, which the model card needs: write it"
        ) from error


def _read(
    network: nn.Module, recipe: Recipe, rows: Sequence[LabelledRadiograph], view: View
) -> list[Reading]:
    prepare = Preparation.of(recipe.input)

    def prepared(row: LabelledRadiograph) -> PreparedImage:
        return prepare(unit_range(view.apply(read_pixels(row.path))))

    readings: list[Reading] = []
    for at in range(0, len(rows), _BATCH):
        batch = [prepared(row) for row in rows[at : at + _BATCH]]
        readings += read_batch(network, batch, recipe.loss.top_share, recipe.input.orientations)
    return readings


def _settings(
    recipe: Recipe, digest: str, calibration: Calibration, points: OperatingPoints
) -> dict[str, Any]:
    return {
        "weights_sha256": digest,
        "input": dataclasses.asdict(recipe.input),
        "top_share": recipe.loss.top_share,
        "calibration": dataclasses.asdict(calibration),
        "operating_points": dataclasses.asdict(points),
    }


def _metadata(recipe: Recipe, training: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return MONAI's own keys, and what the training says of itself."""
    card, used = recipe.card, versions()
    side = recipe.input.size
    return {
        "name": recipe.name,
        "version": version,
        "changelog": {version: "trained by `nightread train`"},
        "monai_version": used["monai"],
        "pytorch_version": used["torch"],
        "numpy_version": used["numpy"],
        "task": "Screening of radiographs for fractures",
        "description": card.description,
        "authors": card.authors,
        "copyright": card.copyright,
        "intended_use": card.intended_use,
        "data_source": card.data_source,
        "references": list(card.references),
        "network_data_format": {
            "inputs": {"image": _tensor([side, side], [-1, 1])},
            "outputs": {"image": _tensor([], [])} | _map(recipe.network, side),
        },
        "nightread": {"limits": list(card.limits), "training": dict(training), "figures": {}},
    }


def _map(network: str, side: int) -> dict[str, Any]:
    if dotted_name(network) != dotted_name("mobilenet_v2"):
        return {}
    return {"cells": _tensor([side // CELL, side // CELL], [])}


def _tensor(spatial_shape: list[int], value_range: list[int]) -> dict[str, Any]:
    """Describe a tensor in MONAI's words; an output is a logit, whose range is open."""
    return {
        "type": "image" if value_range else "probabilities",
        "format": "magnitude" if value_range else "logits",
        "num_channels": 1,
        "spatial_shape": spatial_shape,
        "dtype": "float32",
        "value_range": value_range,
        "is_patch_data": False,
        "channel_def": {"0": "radiograph" if value_range else "fracture"},
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.part"
    temporary.write_bytes(content)
    temporary.replace(path)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    _write(path, (json.dumps(value, indent=2) + "\n").encode())
