"""torchvision's networks as plain functions, since torchvision itself must not be installed.

Each draws the weights that it needs under the names that torchvision gives them, and computes with
them as torchvision does: what comes out is a checkpoint, and what the network says of an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Body = Callable[["Checkpoint", Tensor], Tensor]


class Checkpoint:
    """Weights by name, drawn when they are first asked for."""

    def __init__(self, seed: int = 0) -> None:
        self.state: dict[str, Tensor] = {}
        self.random = torch.Generator().manual_seed(seed)

    def _draw(self, name: str, *shape: int, middle: float = 0.0, spread: float = 0.1) -> Tensor:
        assert name not in self.state
        drawn = torch.randn(*shape, generator=self.random, dtype=torch.float64)
        self.state[name] = drawn * spread + middle
        return self.state[name]

    def convolution(
        self, x: Tensor, name: str, width: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> Tensor:
        inputs = x.shape[1] // groups
        spread = math.sqrt(2 / (inputs * kernel**2))
        weight = self._draw(f"{name}.weight", width, inputs, kernel, kernel, spread=spread)
        return functional.conv2d(x, weight, None, stride, kernel // 2, groups=groups)

    def biased(self, x: Tensor, name: str, width: int, kernel: int) -> Tensor:
        found = self.convolution(x, name, width, kernel)
        return found + self._draw(f"{name}.bias", width).view(1, -1, 1, 1)

    def norm(self, x: Tensor, name: str) -> Tensor:
        width = x.shape[1]
        weight = self._draw(f"{name}.weight", width, middle=1.0)
        bias = self._draw(f"{name}.bias", width)
        mean = self._draw(f"{name}.running_mean", width)
        variance = self._draw(f"{name}.running_var", width, middle=1.0).abs_()
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)
        return functional.batch_norm(x, mean, variance, weight, bias)

    def linear(self, x: Tensor, name: str, outputs: int) -> Tensor:
        weight = self._draw(f"{name}.weight", outputs, x.shape[1])
        return functional.linear(x, weight, self._draw(f"{name}.bias", outputs))


def _average(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def resnet18(c: Checkpoint, x: Tensor) -> Tensor:
    x = c.norm(c.convolution(x, "conv1", 64, 7, 2), "bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for number in range(2):
            stride = 2 if stage > 1 and number == 0 else 1
            x = _basic_block(c, x, f"layer{stage}.{number}", width, stride)
    return _average(x)


def _basic_block(c: Checkpoint, x: Tensor, name: str, width: int, stride: int) -> Tensor:
    out = c.norm(c.convolution(x, f"{name}.conv1", width, 3, stride), f"{name}.bn1").relu()
    out = c.norm(c.convolution(out, f"{name}.conv2", width, 3), f"{name}.bn2")
    if stride == 2:
        x = c.convolution(x, f"{name}.downsample.0", width, 1, stride)
        x = c.norm(x, f"{name}.downsample.1")
    return (out + x).relu()


def densenet121(c: Checkpoint, x: Tensor) -> Tensor:
    x = c.norm(c.convolution(x, "features.conv0", 64, 7, 2), "features.norm0").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for block, layers in enumerate((6, 12, 24, 16), start=1):
        for number in range(1, layers + 1):
            x = _dense_layer(c, x, f"features.denseblock{block}.denselayer{number}")
        if block < 4:
            name = f"features.transition{block}"
            x = c.norm(x, f"{name}.norm").relu()
            x = functional.avg_pool2d(c.convolution(x, f"{name}.conv", x.shape[1] // 2, 1), 2)
    return _average(c.norm(x, "features.norm5").relu())


def _dense_layer(c: Checkpoint, x: Tensor, name: str) -> Tensor:
    out = c.convolution(c.norm(x, f"{name}.norm1").relu(), f"{name}.conv1", 128, 1)
    out = c.convolution(c.norm(out, f"{name}.norm2").relu(), f"{name}.conv2", 32, 3)
    return torch.cat([x, out], 1)


def mobilenet_v2(c: Checkpoint, x: Tensor) -> Tensor:
    x = functional.relu6(c.norm(c.convolution(x, "features.0.0", 32, 3, 2), "features.0.1"))
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
    number = 1
    for expansion, width, repeats, first in [*stages, (6, 160, 3, 2), (6, 320, 1, 1)]:
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            x = _inverted_residual(c, x, f"features.{number}.conv", width, stride, expansion)
            number += 1
    x = functional.relu6(c.norm(c.convolution(x, "features.18.0", 1280, 1), "features.18.1"))
    return _average(x)


def _inverted_residual(
    c: Checkpoint, x: Tensor, name: str, width: int, stride: int, expansion: int
) -> Tensor:
    out, hidden, step = x, x.shape[1] * expansion, 0
    if expansion != 1:
        out = c.norm(c.convolution(out, f"{name}.0.0", hidden, 1), f"{name}.0.1")
        out, step = functional.relu6(out), 1
    out = c.convolution(out, f"{name}.{step}.0", hidden, 3, stride, hidden)
    out = functional.relu6(c.norm(out, f"{name}.{step}.1"))
    out = c.norm(c.convolution(out, f"{name}.{step + 1}", width, 1), f"{name}.{step + 2}")
    return x + out if stride == 1 and x.shape[1] == width else out


def efficientnet(wide: float, deep: float) -> Body:
    """Return B0 for factors of 1, B3 for 1.2 and 1.4."""

    def body(c: Checkpoint, x: Tensor) -> Tensor:
        x = c.convolution(x, "features.0.0", _eighths(32 * wide), 3, 2)
        x = functional.silu(c.norm(x, "features.0.1"))
        stages = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)]
        stages += [(6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]
        for stage, (expansion, kernel, first, width, repeats) in enumerate(stages, start=1):
            for number in range(math.ceil(repeats * deep)):
                name, stride = f"features.{stage}.{number}.block", 1 if number else first
                x = _mbconv(c, x, name, _eighths(width * wide), kernel, stride, expansion)
        x = c.convolution(x, "features.8.0", 4 * x.shape[1], 1)
        return _average(functional.silu(c.norm(x, "features.8.1")))

    return body


def _mbconv(
    c: Checkpoint, x: Tensor, name: str, width: int, kernel: int, stride: int, expansion: int
) -> Tensor:
    out, hidden, step = x, x.shape[1] * expansion, 0
    if expansion != 1:
        out = c.norm(c.convolution(out, f"{name}.0.0", hidden, 1), f"{name}.0.1")
        out, step = functional.silu(out), 1
    out = c.convolution(out, f"{name}.{step}.0", hidden, kernel, stride, hidden)
    out = functional.silu(c.norm(out, f"{name}.{step}.1"))
    squeezed = out.mean((2, 3), keepdim=True)
    squeezed = functional.silu(c.biased(squeezed, f"{name}.{step + 1}.fc1", x.shape[1] // 4, 1))
    out = out * c.biased(squeezed, f"{name}.{step + 1}.fc2", hidden, 1).sigmoid()
    out = c.norm(c.convolution(out, f"{name}.{step + 2}.0", width, 1), f"{name}.{step + 2}.1")
    return x + out if stride == 1 and x.shape[1] == width else out


def _eighths(width: float) -> int:
    """Round to a multiple of eight, and never down by more than a tenth."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def vgg16_features(c: Checkpoint, x: Tensor) -> Tensor:
    at = 0
    for width, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            x, at = c.biased(x, f"features.{at}", width, 3).relu(), at + 2
        x, at = functional.max_pool2d(x, 2), at + 1
    return x


BODIES: dict[str, tuple[Body, str]] = {
    "resnet18": (resnet18, "fc"),
    "densenet121": (densenet121, "classifier"),
    "mobilenet_v2_published": (mobilenet_v2, "classifier.1"),
    "efficientnet_b0": (efficientnet(1.0, 1.0), "classifier.1"),
    "efficientnet_b3": (efficientnet(1.2, 1.4), "classifier.1"),
}
"""Each network up to its pooled features, and the name of the linear layer after them."""


def checkpoint(name: str, images: Tensor, outputs: int) -> tuple[dict[str, Tensor], Tensor]:
    """Return a drawn checkpoint with torchvision's names, and the network's outputs (N, K)."""
    drawn = Checkpoint()
    body, head = BODIES[name]
    with torch.no_grad():
        found = drawn.linear(body(drawn, images), head, outputs)
    return drawn.state, found
