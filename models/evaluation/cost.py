"""What one score costs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.bundle import WEIGHTS, Bundle
from models.classifier import Classifier
from models.networks.registry import build_network

_SIDE = 640


@dataclass(frozen=True, slots=True)
class Cost:
    """Size and work of a classifier.

    Attributes
    ----------
    parameters
        Of the network as it is trained, before batch norms are folded.
    multiply_adds
        Of all convolutions and linear layers for one image, as it is scored. Papers often call this
        number FLOPs; counted strictly it is half of them. Activations, norms and pooling are not
        counted.
    weights_bytes
        Of the weights file.
    images_per_second
        Prepared and scored on the machine at hand, files already decoded.
    """

    parameters: int
    multiply_adds: int
    weights_bytes: int
    images_per_second: float


def measure_cost(bundle: Bundle, classifier: Classifier, images_per_second: float) -> Cost:
    """Count what a bundle costs.

    Parameters
    ----------
    bundle, classifier
        The same, on disk and loaded.
    images_per_second
        As it was measured.
    """
    # Tensors on this device have shapes and no memory.
    with torch.device("meta"):
        network = build_network(bundle.target, bundle.arguments)
    return Cost(
        sum(item.numel() for item in network.parameters()),
        count_multiply_adds(classifier),
        (bundle.path / WEIGHTS).stat().st_size,
        images_per_second,
    )


def count_multiply_adds(classifier: Classifier) -> int:
    """Score one square image, and count the multiplications of its convolutions and linears."""
    ramp = np.linspace(0, 1, _SIDE, dtype=np.float32)
    with _counting(classifier.network) as counts:
        classifier.score([classifier.prepare(np.outer(ramp, ramp))])
    return sum(counts)


@contextlib.contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    counts: list[int] = []

    def count(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(_multiply_adds(layer, output))

    layers = [item for item in network.modules() if isinstance(item, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def _multiply_adds(layer: nn.Module, output: Tensor) -> int:
    """Each output value is a sum over the weights of one output channel."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return output.numel() * (weight.numel() // weight.shape[0])
