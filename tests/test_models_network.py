from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from models.networks.fusion import fold_batch_norms
from models.networks.mobilenet_v2 import BACKBONE_PARAMETERS, CELL, MobileNetV2
from models.networks.mobilenet_v2_published import MobileNetV2Published
from models.networks.registry import NETWORKS, build_network


def test_the_backbone_has_the_parameters_of_the_published_one() -> None:
    network = MobileNetV2()
    assert sum(item.numel() for item in network.features.parameters()) == BACKBONE_PARAMETERS
    assert sum(item.numel() for item in network.parameters()) == 2_403_074


def test_public_weights_load_into_the_backbone_name_by_name(test_data: Path) -> None:
    path = test_data / "weights" / "mobilenet_v2_imagenet_backbone.pth"
    state = torch.load(path, weights_only=True)
    found = MobileNetV2().load_state_dict(state, strict=False)
    assert not found.unexpected_keys
    assert {name.split(".")[0] for name in found.missing_keys} == {"image_head", "cell_head"}


def test_public_weights_load_into_the_published_form_too(test_data: Path) -> None:
    path = test_data / "weights" / "mobilenet_v2_imagenet_backbone.pth"
    network = MobileNetV2Published()
    renamed = network.from_torchvision(torch.load(path, weights_only=True))
    found = network.load_state_dict(renamed, strict=False)
    assert not found.unexpected_keys
    assert {name.split(".")[0] for name in found.missing_keys} == {"classifier"}


@pytest.mark.parametrize("side", [32, 64, 224])
def test_an_image_gets_one_logit_and_a_map_of_them(side: int) -> None:
    network = MobileNetV2().eval()
    with torch.inference_mode():
        logits = network(torch.zeros(2, 1, side, side))
    assert logits.image.shape == (2,)
    assert logits.cells.shape == (2, side // CELL, side // CELL)


def test_folded_batch_norms_change_nothing_but_rounding() -> None:
    torch.manual_seed(0)
    network = MobileNetV2()
    images = torch.rand(4, 1, 64, 64) * 2 - 1
    network(images)  # in training mode, so that the batch norms have something to fold
    network.eval()
    with torch.inference_mode():
        before = network(images)
        fold_batch_norms(network)
        after = network(images)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(before.image, after.image, atol=1e-4)
    assert torch.allclose(before.cells, after.cells, atol=1e-4)


def test_grey_is_given_to_all_three_channels() -> None:
    network = MobileNetV2().eval()
    grey = torch.rand(1, 1, 64, 64) * 2 - 1
    with torch.inference_mode():
        one, three = network(grey), network(grey.repeat(1, 3, 1, 1))
    assert torch.equal(one.image, three.image)


@pytest.mark.parametrize("target", ["os.system", "torch.nn.Linear", "models.networks", ""])
def test_only_listed_networks_are_built(target: str) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        build_network(target, {})


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="refuses its arguments"):
        build_network(next(iter(NETWORKS)), {"layers": 50})
