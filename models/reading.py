"""What a network says of prepared images, before calibration: the one forward pass of scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.transforms import PreparedImage


@dataclass(frozen=True, slots=True)
class Reading:
    """Raw scores of one image.

    Attributes
    ----------
    image
        Logit of a fracture anywhere.
    top
        Mean logit of the map's highest cells; 0 where the network has no map.
    x, y
        The most suspicious point, as fractions of the radiograph's width and height. ``None`` where
        the network has no map.
    """

    image: float
    top: float = 0.0
    x: float | None = None
    y: float | None = None


def top_mean(cells: Tensor, share: float) -> Tensor:
    """Return the mean of the highest ``share`` of each map: (N, h, w) to (N,)."""
    flat = cells.flatten(1)
    return flat.topk(max(1, round(share * flat.shape[1]))).values.mean(1)


def read_batch(
    network: nn.Module, images: Sequence[PreparedImage], top_share: float
) -> list[Reading]:
    """Run a network over one batch.

    Parameters
    ----------
    network
        In evaluation mode; gives :class:`models.networks.logits.FractureLogits`.
    images
        All of one size. An empty sequence gives an empty list.
    top_share
        Share of the map's cells whose mean is the map's score.
    """
    if not images:
        return []
    batch = torch.stack([item.tensor for item in images])
    device = next(network.parameters()).device
    with torch.inference_mode():
        image, cells = network(batch.to(device))
    image = image.float().cpu()
    if cells is None:
        return [Reading(float(logit)) for logit in image]
    cells = cells.float().cpu()
    tops = top_mean(cells, top_share)
    return [
        Reading(float(image[i]), float(tops[i]), *_hottest(cells[i], prepared))
        for i, prepared in enumerate(images)
    ]


def _hottest(cells: Tensor, prepared: PreparedImage) -> tuple[float, float]:
    """Find the highest cell, then the centre of mass of its 3 by 3 neighbourhood."""
    columns = cells.shape[1]
    row, column = divmod(int(cells.argmax()), columns)
    rows = slice(max(0, row - 1), row + 2)
    across = slice(max(0, column - 1), column + 2)
    weights = cells[rows, across].sigmoid()
    weights = weights / weights.sum()
    down = torch.arange(rows.start, rows.start + weights.shape[0]) + 0.5
    right = torch.arange(across.start, across.start + weights.shape[1]) + 0.5
    cell = prepared.tensor.shape[-1] / columns
    y = float((weights.sum(1) * down).sum()) * cell
    x = float((weights.sum(0) * right).sum()) * cell
    return prepared.to_radiograph(x, y)
