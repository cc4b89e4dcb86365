"""The networks that a recipe or a bundle may name: a closed list. Importing it loads no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# A bundle's `_target_` would otherwise run any importable callable with any arguments.
NETWORKS = ("models.networks.mobilenet_v2.MobileNetV2",)


def require_listed(target: str) -> None:
    """Refuse a network that is not on the list, before anything of it is imported.

    Raises
    ------
    ValueError
        If it is not.
    """
    if target not in NETWORKS:
        raise ValueError(
            f"the network {target!r} is not one of {', '.join(NETWORKS)}: Nightread builds only "
            "its own networks"
        )


def build_network(target: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network by its dotted name.

    Raises
    ------
    ValueError
        If the name is not on the list, or the arguments are not the constructor's.
    """
    require_listed(target)
    module, _, name = target.rpartition(".")
    network: type[nn.Module] = getattr(importlib.import_module(module), name)
    try:
        return network(**arguments)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise ValueError(f"the network {target} refuses its arguments: {error}") from error
