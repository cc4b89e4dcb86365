"""What a training starts from: nothing, ImageNet weights of the features, or another training."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from models.bundle import read_bundle
from models.networks.registry import build_network, dotted_name
from models.recipe import Recipe
from screening.errors import TrainingError


def initial_network(recipe: Recipe, start: Path | None) -> nn.Module:
    """Build a recipe's network with the weights that its training begins with.

    Parameters
    ----------
    recipe
        Its ``initial`` says from what; random weights depend on PyTorch's seed.
    start
        A checkpoint with torchvision's names for ``"backbone"``, a bundle for ``"bundle"``.

    Raises
    ------
    TrainingError
        If the network cannot be built, or the weights are missing or another network's.
    """
    try:
        network = build_network(recipe.network, recipe.network_arguments)
    except ValueError as error:
        raise TrainingError(f"{error}: correct the recipe") from error
    if recipe.initial == "backbone":
        _load_backbone(network, recipe.network, start)
    elif recipe.initial == "bundle":
        _load_bundle(network, recipe.network, start)
    return network


def _load_backbone(network: nn.Module, recipe_network: str, backbone: Path | None) -> None:
    """Load the features from a checkpoint with torchvision's names, every one required."""
    if backbone is None or not backbone.is_file():
        raise TrainingError(
            f"the recipe starts from ImageNet weights and {backbone or 'no file'} was given: "
            'give the file with --start, or set initial = "random" in the recipe'
        )
    try:
        state = torch.load(backbone, map_location="cpu", weights_only=True)
        named = network.from_torchvision(state)  # type: ignore[operator]  # each of ours has it
        wanted = [name for name in network.state_dict() if name.startswith("features.")]
        network.load_state_dict({name: named[name] for name in wanted}, strict=False)
    except Exception as error:  # what a damaged pickle raises is anybody's guess
        raise TrainingError(
            f"{backbone} is no checkpoint of the backbone of {recipe_network}: give one with the "
            "tensors of its features, features.* for most, as torchvision names them"
        ) from error


def _load_bundle(network: nn.Module, target: str, start: Path | None) -> None:
    """Load all weights of another training's bundle."""
    if start is None:
        raise TrainingError(
            "the recipe goes on from a bundle and none was given: name it with --start"
        )
    bundle = read_bundle(start)
    if dotted_name(bundle.target) != dotted_name(target):
        raise TrainingError(
            f"the bundle {start} is a {bundle.target}, and the recipe asks for {target}: "
            "give a bundle of the recipe's network"
        )
    network.load_state_dict(safetensors.torch.load(bundle.read_weights()))
