"""One bundle of several: the mean of their weights, at the cost of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from models.bundle import Bundle, read_bundle
from models.evaluation.leakage import trained_on_a_leak
from models.networks.registry import dotted_name
from models.publishing import make_bundle
from models.recipe import Recipe, read_recipe
from screening.errors import BundleError


def average_bundles(
    members: Sequence[str | Path], recipe: Recipe | str | Path, data: Path, out: Path, version: str
) -> Path:
    """Average the weights of bundles and calibrate the mean.

    It serves for trainings that went on from one another: their weights lie in one valley of the
    loss, and the mean is about as good as asking all of them (Wortsman et al., *Model soups*,
    ICML 2022, arXiv:2203.05482). Of trainings that began apart the mean is worthless.

    Parameters
    ----------
    members
        Two bundles or more of one network, by name or folder.
    recipe
        Whose input, card and name the bundle gets; its network must be the members'.
    data
        A labelled set, on whose validation split the bundle is calibrated.
    out
        Folder of the bundle, which must not exist.
    version
        Of the bundle.

    Raises
    ------
    BundleError
        If a member is missing or another network, there is but one, or the folder exists.
    TrainingError
        If the recipe or the validation split cannot be read.
    """
    if out.exists():
        raise BundleError(f"{out} is already there: give a new folder with --out")
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    bundles = [read_bundle(member) for member in members]
    if len(bundles) < 2:
        raise BundleError("an average is made of two bundles or more: name another")
    target = dotted_name(recipe.network)
    for bundle in bundles:
        if bundle.target != target:
            raise BundleError(
                f"{bundle.path} is a {bundle.target}, and the recipe asks for {target}: "
                "give bundles of one network, and its recipe"
            )
        if "validation_auc" not in bundle.metadata["nightread"].get("training", {}):
            raise BundleError(
                f"{bundle.path} was not trained by `nightread train`: a mean is of trainings that "
                "went on from one another"
            )
    return make_bundle(recipe, _mean(bundles), _training(bundles), data, out, version)


def _training(bundles: Sequence[Bundle]) -> dict[str, Any]:
    """Tell of all members; the data are the last one's, and leak if any member's did."""
    members = [_member(bundle) for bundle in bundles]
    last = dict(members[-1]["training"])
    leaking = any(trained_on_a_leak(bundle.metadata) for bundle in bundles)
    data = dict(last.get("data", {})) | {"leaking": leaking}
    return last | {"averaged": members, "data": data}


def _member(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "version": bundle.version,
        "weights_sha256": bundle.settings.weights_sha256,
        "training": bundle.metadata["nightread"]["training"],
    }


def _mean(bundles: Sequence[Bundle]) -> dict[str, Tensor]:
    states = [safetensors.torch.load(bundle.read_weights()) for bundle in bundles]
    return {name: _mean_of([state[name] for state in states]) for name in states[0]}


def _mean_of(tensors: Sequence[Tensor]) -> Tensor:
    if not tensors[0].dtype.is_floating_point:
        return tensors[-1]
    return torch.stack([tensor.double() for tensor in tensors]).mean(0).to(tensors[0].dtype)
