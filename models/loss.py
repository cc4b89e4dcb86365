"""What training minimises: the image's label, the map's score, and the outlined fractures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from models.networks.logits import FractureLogits
from models.reading import top_mean
from models.recipe import LossSettings


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the focal loss of a map, per outlined cell.

    Lin et al., *Focal Loss for Dense Object Detection* (ICCV 2017), exponent 2: of a map's cells
    almost all are easy and empty, and must not drown the few that are not. Where the batch has no
    outlined cell, the sum counts as for one.
    """
    found = torch.sigmoid(logits)
    missed = -((1 - found) ** 2) * logsigmoid(logits) * target
    invented = -(found**2) * logsigmoid(-logits) * (1 - target)
    return (missed.sum() + invented.sum()) / target.sum().clamp(min=1)


def training_loss(
    logits: FractureLogits, labels: Tensor, cells: Tensor, settings: LossSettings
) -> Tensor:
    """Return the loss of one batch.

    Parameters
    ----------
    logits
        What the network says of N images.
    labels
        Float (N,), 1 where there is a fracture.
    cells
        Float (N, h, w), 1 in the cells that an outlined fracture touches.
    settings
        The weights of the parts.
    """
    labels = labels * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    weight = labels.new_tensor(settings.fracture_weight)
    loss = binary_cross_entropy_with_logits(logits.image.float(), labels, pos_weight=weight)
    if logits.cells is None:
        return loss
    found = logits.cells.float()
    top = top_mean(found, settings.top_share)
    return (
        loss
        + settings.top_weight * binary_cross_entropy_with_logits(top, labels, pos_weight=weight)
        + settings.cells_weight * focal_loss(found, cells)
    )
