"""Grad-CAM: which places of a network's last feature map raise its logit of a fracture.

Selvaraju et al., *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization*, ICCV 2017, doi:10.1109/ICCV.2017.74, equations 1 and 2.

MONAI's ``GradCAM`` gives the same map (a test holds the two together) but not on the network of a
worker: it leaves its hooks behind, switches in-place activations off for good, fails where an
in-place one follows the layer, and needs gradients through the whole backbone. Here the layer's
output becomes the first tensor of the graph: only what comes after it is differentiated.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from screening.errors import BundleError


@dataclass(frozen=True, slots=True)
class Attention:
    """What a network's attended layer gave for a batch, and how the logit depends on it.

    Attributes
    ----------
    activations, gradients
        Float tensors (N, C, h, w); gradients are of each image's logit.
    """

    activations: Tensor
    gradients: Tensor

    def grad_cam(self) -> Tensor:
        """Return the map (N, h, w), at least 0: channels weighed by their mean gradient."""
        weights = self.gradients.mean((2, 3), keepdim=True)
        return (weights * self.activations).sum(1).relu()


def attend(network: nn.Module, images: Tensor) -> Attention:
    """Run a network and differentiate its logits by its attended layer.

    Parameters
    ----------
    network
        In evaluation mode, with the property ``attended``; it is left as it was.
    images
        Float tensor (N, 1, S, S) in [-1, 1].

    Raises
    ------
    BundleError
        If the network names no such layer, or the layer gives no feature map.
    """
    layer = getattr(network, "attended", None)
    if not isinstance(layer, nn.Module):
        raise BundleError(f"{type(network).__name__} names no layer for Grad-CAM: use occlusion")
    leaves: list[Tensor] = []

    def restart(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_())
        # A copy, so that an in-place activation after the layer changes neither of the two.
        return leaves[-1].clone()

    hook = layer.register_forward_hook(restart)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logits = network(images.clone()).image
            gradients = _gradients(logits, leaves)
    finally:
        hook.remove()
    return Attention(leaves[0].detach(), gradients)


def _gradients(logits: Tensor, leaves: list[Tensor]) -> Tensor:
    if len(leaves) != 1 or leaves[0].ndim != 4:
        raise BundleError("the network's attended layer gives no feature map: use occlusion")
    if logits.grad_fn is None:
        return torch.zeros_like(leaves[0])
    (found,) = torch.autograd.grad(logits.sum(), leaves[0], allow_unused=True)
    return torch.zeros_like(leaves[0]) if found is None else found
