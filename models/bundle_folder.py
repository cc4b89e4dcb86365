"""The files of a new bundle, written together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from models.bundle import CARD, METADATA, NETWORK, WEIGHTS
from models.bundle_settings import seal
from models.card import render_card
from models.json_bytes import json_bytes
from models.whole_file import write_whole


def write_bundle(
    folder: Path,
    target: str,
    arguments: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, Any],
) -> None:
    """Write a bundle's files; the weights' digest and the seal are added to its metadata.

    Parameters
    ----------
    folder
        A temporary one, which takes the bundle's name when it is whole.
    target, arguments
        The network's dotted name and its constructor's arguments.
    weights
        By the names of the network's tensors.
    metadata
        MONAI's keys, and ``nightread`` without ``weights_sha256``.

    Raises
    ------
    BundleError
        If the metadata lacks what the card needs.
    OSError
        If a file cannot be written.
    """
    content = safetensors.torch.save(
        {name: value.contiguous().clone() for name, value in weights.items()}
    )
    digest = {"weights_sha256": hashlib.sha256(content).hexdigest()}
    sealed = {**metadata, "nightread": digest | metadata["nightread"]}
    seal(sealed)
    network = {"network_def": {"_target_": target, **arguments}}
    write_whole(folder / WEIGHTS, content)
    write_whole(folder / NETWORK, json_bytes(network))
    write_whole(folder / METADATA, json_bytes(sealed))
    write_whole(folder / CARD, render_card(sealed).encode())
