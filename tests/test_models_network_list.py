"""Every network of the list keeps the same promises."""

from __future__ import annotations

import copy
import importlib
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.networks.colour import IMAGENET_MEAN, IMAGENET_STD, Colour
from models.networks.fusion import fold_batch_norms
from models.networks.registry import NETWORKS, SHORT_NAMES, build_network, dotted_name

SIDE = 64
# What fixes a network's size, so that all are quick to try at 64 pixels.
SMALL: dict[str, dict[str, Any]] = {name: {} for name in SHORT_NAMES} | {
    "sequential_cnn": {"size": SIDE},
    "custom_cnn": {"size": SIDE},
}
# Of 134 million weights, nearly all in two layers: built only where that is the point.
QUICK = sorted(set(SHORT_NAMES) - {"vgg16"})
CHANNELS = {
    "mobilenet_v2": 1280,
    "mobilenet_v2_published": 1280,
    "densenet121": 1024,
    "sequential_cnn": 64,
    "compact_cnn": 256,
    "custom_cnn": 128,
    "resnet18": 512,
    "efficientnet_b0": 1280,
    "efficientnet_b3": 1536,
    "vgg16": 512,
}


def parameters(name: str, **arguments: object) -> int:
    with torch.device("meta"):
        network = build_network(name, arguments)
    return sum(item.numel() for item in network.parameters())


def module(name: str) -> Any:  # noqa: ANN401 - what a module holds
    return importlib.import_module(dotted_name(name).rpartition(".")[0])


def settled(name: str, **arguments: object) -> nn.Module:
    """Return a copy of a network whose batch norms have seen a batch, and so do something."""
    return copy.deepcopy(drawn(name, **arguments))


@cache
def drawn(name: str, **arguments: object) -> nn.Module:
    torch.manual_seed(0)
    network = build_network(name, SMALL[name] | arguments).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.train().momentum = 1.0
    network(torch.rand(4, 1, SIDE, SIDE) * 2 - 1)
    return network.eval()


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_a_network_has_the_parameters_that_it_states(name: str) -> None:
    stated = module(name)
    expected = getattr(stated, "PARAMETERS", None) or stated.POOLED_PARAMETERS
    assert parameters(name) == expected


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("sequential_cnn", 23.9e6),
        ("custom_cnn", 5.6e6),
        ("resnet18", 11.2e6),
        ("efficientnet_b3", 10.7e6),
        ("efficientnet_b0", 4.01e6),
        ("vgg16", 134.27e6),
    ],
)
def test_a_network_has_the_parameters_that_its_study_prints(name: str, published: float) -> None:
    digits = len(f"{published / 1e6:g}".partition(".")[2])
    assert round(parameters(name) / 1e6, digits) == published / 1e6


def test_the_studies_mobilenet_counts_the_classes_of_imagenet() -> None:
    stated = module("mobilenet_v2_published")
    assert parameters("mobilenet_v2_published", head="dense") == stated.DENSE_PARAMETERS
    of_1000_classes = stated.POOLED_PARAMETERS + (1000 - 2) * (1280 + 1)
    assert round(of_1000_classes / 1e6, 1) == 3.5


def test_a_short_name_and_a_dotted_one_are_the_same_network() -> None:
    assert tuple(dotted_name(name) for name in SHORT_NAMES) == NETWORKS
    assert tuple(dotted_name(name) for name in NETWORKS) == NETWORKS
    for name, target in SHORT_NAMES.items():
        assert target.startswith(f"models.networks.{name}.")


@pytest.mark.parametrize("name", QUICK)
def test_an_image_gets_one_logit_and_grey_counts_for_three_channels(name: str) -> None:
    network = settled(name)
    grey = torch.rand(2, 1, SIDE, SIDE) * 2 - 1
    with torch.inference_mode():
        one, three = network(grey), network(grey.repeat(1, 3, 1, 1))
    assert one.image.shape == (2,)
    assert torch.equal(one.image, three.image)
    assert (one.cells is None) == (name != "mobilenet_v2")
    assert one.image[0] != one.image[1]


@pytest.mark.parametrize("name", QUICK)
def test_a_batch_is_embedded_as_the_mean_of_its_last_map(name: str) -> None:
    network: Any = settled(name)
    with torch.inference_mode():
        found = network.embed(torch.rand(3, 1, SIDE, SIDE))
    assert found.shape == (3, CHANNELS[name])
    assert torch.isfinite(found).all()
    assert found.std(0).sum() > 0


@pytest.mark.parametrize("name", QUICK)
def test_what_grad_cam_reads_is_not_changed_behind_its_back(name: str) -> None:
    network: Any = settled(name).requires_grad_(False)
    fold_batch_norms(network)  # as a classifier does
    kept: dict[str, Tensor] = {}

    def forward(_: nn.Module, __: object, output: Tensor) -> None:
        kept["map"], kept["as it was"] = output, output.detach().clone()

    def backward(_: nn.Module, __: object, gradients: tuple[Tensor, ...]) -> None:
        kept["gradient"] = gradients[0]

    # Both kinds of hook, as MONAI's Grad-CAM sets them: the second fails where a view is changed.
    network.attended.register_forward_hook(forward)
    network.attended.register_full_backward_hook(backward)
    network((torch.rand(1, 1, SIDE, SIDE) * 2 - 1).requires_grad_()).image.sum().backward()
    assert torch.equal(kept["map"], kept["as it was"])
    assert kept["map"].ndim == 4
    assert kept["gradient"].shape == kept["map"].shape
    assert kept["gradient"].abs().sum() > 0


def test_vgg16_keeps_the_promises_too() -> None:
    with torch.device("meta"):
        network: Any = build_network("vgg16", {})
    # Without its two great layers, which take seconds to draw.
    network.classifier = nn.Linear(25_088, 2)
    network.to_empty(device="cpu").requires_grad_(False)
    for item in network.parameters():
        nn.init.normal_(item, 0, 0.05)
    images = torch.rand(1, 1, 32, 32).requires_grad_()
    kept: list[Tensor] = []
    network.attended.register_full_backward_hook(lambda _, __, found: kept.append(found[0]))
    logits = network(images)
    logits.image.sum().backward()
    assert logits.image.shape == (1,)
    assert logits.cells is None
    assert kept[0].shape == (1, 512, 2, 2)
    assert network.embed(images).shape == (1, 512)


@pytest.mark.parametrize("name", QUICK)
def test_folded_batch_norms_change_nothing_but_rounding(name: str) -> None:
    network = settled(name).double()
    images = torch.rand(2, 1, SIDE, SIDE).double() * 2 - 1
    with torch.inference_mode():
        before = network(images).image
        fold_batch_norms(network)
        after = network(images).image
    assert torch.allclose(before, after, rtol=1e-6)


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_the_blocks_are_all_of_the_backbone_front_to_back(name: str) -> None:
    with torch.device("meta"):
        network: Any = build_network(name, {})
    blocks = network.blocks()
    assert len(blocks) >= 6
    inside = sum(item.numel() for block in blocks for item in block.parameters())
    assert inside == sum(item.numel() for item in network.get_submodule("features").parameters())
    assert next(blocks[0].parameters()).shape[1] == 3


@pytest.mark.parametrize("name", ["resnet18", "compact_cnn", "sequential_cnn"])
def test_two_outputs_are_one_logit_their_difference(name: str) -> None:
    network: Any = settled(name, outputs=2)
    images = torch.rand(2, 1, SIDE, SIDE)
    with torch.inference_mode():
        outputs = network.classifier(network.pool(network.features(network.colour(images))))
        logits = network(images).image
    assert torch.allclose(torch.softmax(outputs, 1)[:, 1], torch.sigmoid(logits), atol=1e-6)


@pytest.mark.parametrize("name", ["resnet18", "compact_cnn"])
def test_more_classes_than_two_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="outputs must be 1"):
        build_network(name, {"outputs": 1000})


def test_a_backbone_sees_the_pixels_that_it_was_trained_on() -> None:
    pixels = torch.rand(2, 1, 8, 8)
    seen = Colour(IMAGENET_MEAN, IMAGENET_STD)(pixels * 2 - 1)
    for channel, (mean, std) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        assert torch.allclose(seen[:, channel], (pixels[:, 0] - mean) / std, atol=1e-5)


def test_by_default_the_pixels_stay_as_they_are() -> None:
    images = torch.rand(2, 1, 8, 8) * 2 - 1
    assert torch.equal(Colour()(images), images.expand(-1, 3, -1, -1))
    assert not Colour().state_dict()
    assert not Colour(IMAGENET_MEAN, IMAGENET_STD).state_dict()


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "custom_cnn"])
def test_mean_and_spread_are_a_network_s_own_arguments(name: str) -> None:
    plain = settled(name).double()
    arguments = SMALL[name] | {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}
    told = build_network(name, arguments).eval().double()
    told.load_state_dict(plain.state_dict())
    pixels = torch.rand(1, 3, SIDE, SIDE).double()
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    with torch.inference_mode():
        assert torch.allclose(
            told(pixels * 2 - 1).image, plain((pixels - mean) / std).image, rtol=1e-3
        )


@pytest.mark.parametrize(
    "wrong", [{"mean": [0.5]}, {"std": [0.2, 0, 0.2]}, {"mean": 0.5}, {"std": ["a", "b", "c"]}]
)
def test_a_mean_or_spread_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="refuses its arguments"):
        build_network("compact_cnn", wrong)
