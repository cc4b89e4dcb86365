"""Checkpoints with torchvision's names compute here what they compute there."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision_networks import BODIES, Checkpoint, checkpoint, vgg16_features

from models.networks.registry import build_network

SIDE = 64


# Of double precision, in which rounding cannot hide a small difference.
IMAGES = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double() * 2 - 1


@cache
def drawn(name: str, outputs: int = 2) -> tuple[dict[str, Tensor], Tensor]:
    return checkpoint(name, IMAGES, outputs)


def of_imagenet(name: str) -> dict[str, Tensor]:
    """Return a checkpoint with a head of 1000 classes."""
    state, head = dict(drawn(name)[0]), BODIES[name][1]
    state[f"{head}.weight"] = state[f"{head}.weight"][:1].repeat(1000, 1)
    state[f"{head}.bias"] = torch.zeros(1000)
    return state


@pytest.mark.parametrize(("name", "outputs"), [*((name, 2) for name in BODIES), ("resnet18", 1)])
def test_a_checkpoint_says_the_same_here_as_there(name: str, outputs: int) -> None:
    state, there = drawn(name, outputs)
    network: Any = build_network(name, {"outputs": outputs}).eval().double()
    # Strict: every tensor of ours is filled, and none of theirs is left over.
    network.load_state_dict(network.from_torchvision(state))
    with torch.inference_mode():
        here = network(IMAGES).image
    wanted = there[:, 0] if outputs == 1 else there[:, 1] - there[:, 0]
    assert abs(wanted[1] - wanted[0]) > 1e-6
    assert torch.allclose(here, wanted, rtol=1e-9)


@pytest.mark.parametrize("name", BODIES)
def test_the_classes_of_imagenet_are_left_out_and_the_backbone_stays(name: str) -> None:
    with torch.device("meta"):
        network: Any = build_network(name, {})
    renamed = network.from_torchvision(of_imagenet(name))
    left_out = set(network.state_dict()) - set(renamed)
    assert left_out == {"classifier.1.weight", "classifier.1.bias"}
    assert set(renamed) < set(network.state_dict())


@pytest.mark.parametrize("name", BODIES)
def test_a_checkpoint_with_our_names_keeps_them(name: str) -> None:
    with torch.device("meta"):
        network: Any = build_network(name, {})
    assert list(network.from_torchvision(network.state_dict())) == list(network.state_dict())


def test_old_checkpoints_of_densenet_have_a_dot_more_and_a_counter_less() -> None:
    state, _ = drawn("densenet121")
    old = {
        re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", key): value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    assert any(".norm.1." in key for key in old)
    network: Any = build_network("densenet121", {})
    renamed, wanted = network.from_torchvision(old), network.from_torchvision(state)
    assert all(renamed[key] is wanted[key] for key in renamed)
    network.load_state_dict(renamed)


def test_vgg16_s_features_say_the_same_and_its_linear_layers_have_their_names() -> None:
    with torch.device("meta"):
        network: Any = build_network("vgg16", {})
    weights, images = Checkpoint(), torch.rand(1, 3, 32, 32).double()
    with torch.no_grad():
        there = vgg16_features(weights, images)
    features = {key.removeprefix("features."): value for key, value in weights.state.items()}
    network.features.load_state_dict(features, assign=True)
    with torch.inference_mode():
        assert torch.allclose(network.features(images), there, rtol=1e-9)
    linear = {key: tuple(value.shape) for key, value in network.classifier.state_dict().items()}
    assert linear == {
        "0.weight": (4096, 25_088),
        "0.bias": (4096,),
        "3.weight": (4096, 4096),
        "3.bias": (4096,),
        "6.weight": (2, 4096),
        "6.bias": (2,),
    }


def test_of_vgg16_s_three_linear_layers_the_classes_of_imagenet_alone_are_left_out() -> None:
    with torch.device("meta"):
        network: Any = build_network("vgg16", {})
        state = network.state_dict() | {
            "classifier.6.weight": torch.empty(1000, 4096),
            "classifier.6.bias": torch.empty(1000),
        }
    left_out = set(state) - set(network.from_torchvision(state))
    assert left_out == {"classifier.6.weight", "classifier.6.bias"}


def test_the_network_with_a_map_takes_the_same_backbone_and_a_head_of_one() -> None:
    state, there = drawn("mobilenet_v2_published", 1)
    network: Any = build_network("mobilenet_v2", {}).eval().double()
    found = network.load_state_dict(network.from_torchvision(state), strict=False)
    assert not found.unexpected_keys
    assert {key.partition(".")[0] for key in found.missing_keys} == {"cell_head"}
    with torch.inference_mode():
        assert torch.allclose(network(IMAGES).image, there[:, 0], rtol=1e-9)
