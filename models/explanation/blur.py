"""The blurred radiograph: what stands in for a part of an image that is taken away.

A grey or black patch would be a thing of its own to a network, with edges like a fracture's. A blur
takes away what is fine, and fractures are fine, and keeps the anatomy (Fong and Vedaldi,
*Interpretable Explanations of Black Boxes by Meaningful Perturbation*, ICCV 2017).
"""

from __future__ import annotations

import torch
from monai.networks.layers.simplelayers import GaussianFilter
from torch import Tensor

from models.transforms import PreparedImage

# The sigma that Petsiuk et al. use for insertion: 5 of 224 pixels.
_SIGMA_SHARE = 5 / 224


def inside(prepared: PreparedImage) -> tuple[slice, slice]:
    """Return the rows and columns of the square that the radiograph takes up."""
    rows = slice(prepared.top, prepared.top + prepared.height)
    return rows, slice(prepared.left, prepared.left + prepared.width)


def blurred(prepared: PreparedImage) -> Tensor:
    """Return the square with its radiograph blurred, float32 (1, S, S); the padding stays."""
    rows, columns = inside(prepared)
    sigma = _SIGMA_SHARE * prepared.tensor.shape[-1]
    edge = int(4 * sigma) + 1
    # Beyond its edge the radiograph goes on as it ends: the padding must not leak in.
    wide = torch.nn.functional.pad(
        prepared.tensor[None, :, rows, columns], (edge,) * 4, mode="replicate"
    )
    smooth = GaussianFilter(2, sigma, truncated=4.0)(wide)[0]
    result = prepared.tensor.clone()
    result[:, rows, columns] = smooth[:, edge:-edge, edge:-edge]
    return result
