"""What an epoch shows: which radiographs, in which batches, augmented and prepared ahead of use."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.augmentation import augment, cell_target
from models.dataset import LabelledRadiograph, read_pixels, unit_range
from models.networks.mobilenet_v2 import CELL
from models.recipe import Recipe
from models.transforms import Preparation

_KEPT = 1.5  # times the input's side: training images are kept no larger, and crops choose from it
_AHEAD = 2  # batches made while one is learnt
_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Of training.

    Attributes
    ----------
    images
        Float32 (N, 1, S, S), values in [-1, 1].
    labels
        Float32 (N,), 1 where there is a fracture.
    cells
        Float32 (N, S/16, S/16), 1 where an outlined fracture is.
    """

    images: Tensor
    labels: Tensor
    cells: Tensor


class Sampler:
    """Draws the batches of each epoch; a draw depends on the seed, the epoch and the row alone.

    Parameters
    ----------
    recipe
        Sampling, batch, augmentation, input and seed.
    rows
        The train split. Its images are read here, once each, and held as 8-bit grey.
    """

    def __init__(self, recipe: Recipe, rows: Sequence[LabelledRadiograph]) -> None:
        self._recipe = recipe
        self._rows = rows
        self._labels = np.array([row.fractured for row in rows])
        self._prepare = Preparation.of(recipe.input)
        longest = round(_KEPT * recipe.input.size)
        paths = dict.fromkeys(row.path for row in rows)
        self._pixels = {path: _training_pixels(path, longest) for path in paths}

    def order(self, epoch: int) -> list[NDArray[np.intp]]:
        """Return the rows of an epoch's batches."""
        rng = np.random.default_rng((self._recipe.seed, epoch))
        chosen = rng.permutation(self._chosen(rng))
        batch = self._recipe.optimisation.batch
        # A last batch of one image would leave batch norm without a variance.
        edges = [at for at in range(batch, len(chosen), batch) if len(chosen) - at > 1]
        return np.split(chosen, edges)

    def _chosen(self, rng: np.random.Generator) -> NDArray[np.intp]:
        if self._recipe.optimisation.sampling == "all":
            return np.arange(len(self._rows))
        fractured, normal = np.flatnonzero(self._labels == 1), np.flatnonzero(self._labels == 0)
        wanted = max(1, round(len(fractured) * self._recipe.optimisation.normals_per_fracture))
        drawn = rng.choice(normal, min(wanted, len(normal)), replace=False)
        return np.concatenate([fractured, drawn])

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Make an epoch's batches, the next ones while one is in use."""
        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[Iterator[tuple[Tensor, int, NDArray[np.float32]]]] = deque()
            for chosen in self.order(epoch):
                waiting.append(pool.map(lambda index: self._sample(int(index), epoch), chosen))
                if len(waiting) > _AHEAD:
                    yield _together(waiting.popleft())
            while waiting:
                yield _together(waiting.popleft())

    def _sample(self, index: int, epoch: int) -> tuple[Tensor, int, NDArray[np.float32]]:
        row = self._rows[index]
        rng = np.random.default_rng((self._recipe.seed, epoch, index))
        changed = augment(self._pixels[row.path], row.boxes, self._recipe.augmentation, rng)
        prepared = self._prepare(unit_range(changed.pixels))
        return (
            prepared.tensor,
            row.fractured,
            cell_target(row.boxes, prepared, CELL, changed.to_source),
        )


def _together(samples: Iterator[tuple[Tensor, int, NDArray[np.float32]]]) -> Batch:
    images, labels, cells = zip(*samples, strict=True)
    return Batch(
        torch.stack(images),
        torch.tensor(labels, dtype=torch.float32),
        torch.from_numpy(np.stack(cells)),
    )


def _training_pixels(path: Path, longest: int) -> NDArray[np.uint8]:
    """Read a training image, no larger than augmentation needs it."""
    image = Image.fromarray(read_pixels(path))
    image.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.asarray(image)
