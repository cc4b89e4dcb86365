"""The networks that a recipe or a bundle may name: a closed list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from models.networks.mobilenet_v2 import MobileNetV2

# A bundle's `_target_` would otherwise run any importable callable with any arguments.
NETWORKS: Mapping[str, type[nn.Module]] = {
    "models.networks.mobilenet_v2.MobileNetV2": MobileNetV2,
}


def build_network(target: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network by its dotted name.

    Raises
    ------
    ValueError
        If the name is not on the list, or the arguments are not the constructor's.
    """
    network = NETWORKS.get(target)
    if network is None:
        raise ValueError(f"the network {target!r} is not one of {', '.join(NETWORKS)}")
    try:
        return network(**arguments)
    except TypeError as error:
        raise ValueError(f"the network {target} refuses its arguments: {error}") from error
