"""What the networks without a map have in common: features, a pool, a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.networks.colour import HALF, Colour
from models.networks.logits import FractureLogits


class FeatureNetwork(nn.Module):
    """Features of an image, made one vector, judged by a classifier of one or two outputs.

    Of two outputs, *not fractured* and *fractured*, the logit is the difference: the sigmoid of it
    is the softmax of the two.

    Parameters
    ----------
    features
        From (N, 3, S, S) to (N, C, h, w); its children, front to back, are the network's blocks.
    pool
        From (N, C, h, w) to (N, D); without weights.
    classifier
        From (N, D) to (N, 1) or (N, 2); a linear layer is its last.
    mean, std
        What the weights expect of the pixels, see :class:`models.networks.colour.Colour`.

    Attributes
    ----------
    features, pool, classifier
        As given.
    published_size
        Side of the images in pixels, as its study has it.
    """

    published_size: ClassVar[int] = 224

    def __init__(
        self,
        features: nn.Sequential,
        pool: nn.Module,
        classifier: nn.Sequential,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        super().__init__()
        last = classifier[-1]
        if not isinstance(last, nn.Linear) or last.out_features not in (1, 2):
            raise ValueError("outputs must be 1 (fracture) or 2 (no fracture, fracture)")
        self.colour = Colour(mean, std)
        self.features = features
        self.pool = pool
        self.classifier = classifier

    def forward(self, images: Tensor) -> FractureLogits:
        """Score a batch.

        Parameters
        ----------
        images
            Float tensor (N, 1, S, S) or (N, 3, S, S), values in [-1, 1]. A grey image is given to
            each of the three colour channels.
        """
        outputs = self.classifier(self.pool(self.features(self.colour(images))))
        if outputs.shape[1] == 1:
            return FractureLogits(outputs[:, 0], None)
        return FractureLogits(outputs[:, 1] - outputs[:, 0], None)

    def embed(self, images: Tensor) -> Tensor:
        """Return the last feature map's mean over the image: (N, 1 or 3, S, S) to (N, C)."""
        return torch.mean(self.features(self.colour(images)), dim=(2, 3))

    def blocks(self) -> list[nn.Module]:
        """Return the parts of the backbone, front to back: what a training may hold still."""
        return list(self.features.children())

    @property
    def attended(self) -> nn.Module:
        """The layer whose output (N, C, h, w) Grad-CAM reads; nothing changes it in place."""
        return self.features[-1]

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename a checkpoint's tensors from torchvision's names to ours.

        A classifier of other than one or two outputs, as that of ImageNet's 1000 classes, is left
        out: what remains is a backbone.
        """
        return without_other_classes(dict(state))

    @classmethod
    def arguments_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the constructor's arguments that a checkpoint with our names asks for."""
        head = last_layer(state)
        return {"outputs": len(state[head])} if head and len(state[head]) in (1, 2) else {}


def without_other_classes(state: dict[str, Tensor], head: str = "classifier") -> dict[str, Tensor]:
    """Leave out the last linear layer below ``head`` where it has other than 1 or 2 outputs."""
    last = last_layer(state, head)
    if not last or state[last].shape[0] in (1, 2):
        return state
    return {name: value for name, value in state.items() if name not in _layer(last)}


def last_layer(state: Mapping[str, Tensor], head: str = "classifier") -> str:
    """Return the name of the last weights below ``head``, or nothing where there are none."""
    layers = [name for name in state if name.startswith(f"{head}.") and name.endswith(".weight")]
    return max(layers, key=_position, default="")


def _position(name: str) -> int:
    """Return the place of a layer in its ``nn.Sequential``: 6 for ``classifier.6.weight``."""
    place = name.split(".")[-2]
    return int(place) if place.isdigit() else -1


def _layer(weight: str) -> tuple[str, str]:
    return weight, weight.removesuffix("weight") + "bias"


def pooled() -> nn.Sequential:
    """Return the mean over the image, as a vector: (N, C, h, w) to (N, C)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
