"""What a network says of prepared images, before calibration: the one forward pass of scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from models.networks.logits import FractureLogits
from models.transforms import PreparedImage

ORIENTATIONS = tuple((turns, mirrored) for turns in (0, 2, 1, 3) for mirrored in (False, True))
"""Quarter turns, and whether mirrored then: as it is, mirrored, upside down, and so on."""


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
    views
        The same two scores in each orientation that was read.
    cells
        The map's logits (h, w), the mean over the orientations. ``None`` where there is no map.
    """

    image: float
    top: float = 0.0
    x: float | None = None
    y: float | None = None
    views: tuple[tuple[float, float], ...] = ()
    cells: Tensor | None = field(default=None, compare=False, repr=False)


def top_mean(cells: Tensor, share: float) -> Tensor:
    """Return the mean of the highest ``share`` of each map: (N, h, w) to (N,)."""
    flat = cells.flatten(1)
    return flat.topk(max(1, round(share * flat.shape[1]))).values.mean(1)


def read_batch(
    network: nn.Module,
    images: Sequence[PreparedImage],
    top_share: float,
    orientations: int = 1,
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
    orientations
        How many of :data:`ORIENTATIONS` are read and averaged; the time grows with it.
    """
    if not images:
        return []
    batch = torch.stack([item.tensor for item in images])
    views = looks(network, batch, orientations)
    image, cells = _mean(views)
    if cells is None:
        alone = [tuple((float(view.image[i]), 0.0) for view in views) for i in range(len(images))]
        return [Reading(float(logit), views=each) for logit, each in zip(image, alone, strict=True)]
    tops = top_mean(cells, top_share)
    scores = [
        (view.image, top_mean(view.cells, top_share)) for view in views if view.cells is not None
    ]
    return [
        Reading(
            float(image[i]),
            float(tops[i]),
            *_hottest(cells[i], prepared),
            views=tuple((float(logit[i]), float(top[i])) for logit, top in scores),
            cells=cells[i],
        )
        for i, prepared in enumerate(images)
    ]


def look(network: nn.Module, batch: Tensor, orientations: int) -> FractureLogits:
    """Return the mean logits over orientations, on the CPU; maps are turned back first.

    Parameters
    ----------
    network
        In evaluation mode.
    batch
        Float (N, 1, S, S) in [-1, 1].
    orientations
        How many of :data:`ORIENTATIONS`.
    """
    return _mean(looks(network, batch, orientations))


def looks(network: nn.Module, batch: Tensor, orientations: int) -> list[FractureLogits]:
    """Return the logits in each orientation, as :func:`look` their mean."""
    batch = _moved(batch, next(network.parameters(), batch).device)
    found = []
    with torch.inference_mode():
        for orientation in ORIENTATIONS[:orientations]:
            turns, mirrored = orientation
            turned = torch.rot90(batch, turns, (2, 3))
            image, cells = network(turned.flip(-1) if mirrored else turned)
            straight = None if cells is None else turn_back(cells.float().cpu(), orientation)
            found.append(FractureLogits(image.float().cpu(), straight))
    return found


def turn_back(maps: Tensor, orientation: tuple[int, bool]) -> Tensor:
    """Return maps (N, h, w) of turned images as those of the images themselves."""
    turns, mirrored = orientation
    return torch.rot90(maps.flip(-1) if mirrored else maps, -turns, (1, 2))


def _moved(batch: Tensor, device: torch.device) -> Tensor:
    """Return a batch on a device; to a GPU from pinned memory, which copies while it computes."""
    if device.type == "cuda" and batch.device.type == "cpu":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


def _mean(views: Sequence[FractureLogits]) -> FractureLogits:
    maps = [view.cells for view in views if view.cells is not None]
    image = torch.stack([view.image for view in views]).mean(0)
    return FractureLogits(image, torch.stack(maps).mean(0) if maps else None)


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
