"""The networks that a recipe or a bundle may name: a closed list. Importing it loads no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# A bundle's `_target_` would otherwise run any importable callable with any arguments.
SHORT_NAMES = {
    "mobilenet_v2": "models.networks.mobilenet_v2.MobileNetV2",
    "mobilenet_v2_published": "models.networks.mobilenet_v2_published.MobileNetV2Published",
    "densenet121": "models.networks.densenet121.DenseNet121",
    "sequential_cnn": "models.networks.sequential_cnn.SequentialCNN",
    "compact_cnn": "models.networks.compact_cnn.CompactCNN",
    "custom_cnn": "models.networks.custom_cnn.CustomCNN",
    "resnet18": "models.networks.resnet18.ResNet18",
    "efficientnet_b0": "models.networks.efficientnet_b0.EfficientNetB0",
    "efficientnet_b3": "models.networks.efficientnet_b3.EfficientNetB3",
    "vgg16": "models.networks.vgg16.VGG16",
}
"""What a person may write, and the dotted name that it stands for."""

NETWORKS = tuple(SHORT_NAMES.values())


def dotted_name(name: str) -> str:
    """Return the dotted name of a network, from it or from its short name.

    Raises
    ------
    ValueError
        If it is not on the list; nothing of it is imported.
    """
    target = SHORT_NAMES.get(name, name)
    if target not in NETWORKS:
        raise ValueError(
            f"the network {name!r} is not one of {', '.join(SHORT_NAMES)}: Nightread builds only "
            "its own networks"
        )
    return target


def require_listed(target: str) -> None:
    """Refuse a network that is not on the list, before anything of it is imported.

    Raises
    ------
    ValueError
        If it is not.
    """
    dotted_name(target)


def network_class(name: str) -> Any:  # noqa: ANN401 - a class of another module, by its name
    """Return the class of a network, by its dotted or its short name.

    Raises
    ------
    ValueError
        If the name is not on the list.
    """
    module, _, name = dotted_name(name).rpartition(".")
    return getattr(importlib.import_module(module), name)


def build_network(target: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network by its dotted or its short name.

    Raises
    ------
    ValueError
        If the name is not on the list, or the arguments are not the constructor's.
    """
    network: type[nn.Module] = network_class(target)
    try:
        return network(**arguments)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise ValueError(f"the network {target} refuses its arguments: {error}") from error
