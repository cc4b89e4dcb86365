"""The part of a bundle's metadata that every MONAI bundle has.

Keys and words are those of https://docs.monai.io/en/stable/mb_specification.html.
"""

from __future__ import annotations

from typing import Any

from models.networks.mobilenet_v2 import CELL
from models.networks.registry import dotted_name
from models.recipe import Provenance
from models.run_folder import versions


def monai_metadata(
    name: str, version: str, change: str, said: Provenance, network: str, side: int
) -> dict[str, Any]:
    """Return MONAI's own keys.

    Parameters
    ----------
    name, version
        Of the bundle.
    change
        What this version is, for the changelog.
    said
        Description, authors, copyright, data and references.
    network
        Its name or dotted name.
    side
        Of the network's square, in pixels.
    """
    used = versions()
    return {
        "name": name,
        "version": version,
        "changelog": {version: change},
        "monai_version": used["monai"],
        "pytorch_version": used["torch"],
        "numpy_version": used["numpy"],
        "task": "Screening of radiographs for fractures",
        "description": said.description,
        "authors": said.authors,
        "copyright": said.copyright,
        "intended_use": said.intended_use,
        "data_source": said.data_source,
        "references": list(said.references),
        "network_data_format": {
            "inputs": {"image": _tensor([side, side], [-1, 1])},
            "outputs": {"image": _tensor([], [])} | _map(network, side),
        },
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
