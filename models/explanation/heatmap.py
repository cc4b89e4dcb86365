"""A heatmap: how much each place of a radiograph speaks for a fracture."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.transforms import PreparedImage

KEPT_SIDE = 64
"""Longer side of a heatmap that is kept, in pixels: a network's cells are no finer."""

_Floats = NDArray[np.float32]

# From no heat to the most; dark to bright throughout, so that it also reads in grey.
_RAMP = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], np.float32
)
_OPACITY = 0.65
_SHOWN_FROM = 0.25  # less heat than this fades out: haze over the whole film hides the film


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """Heat over a radiograph, the padding of the network's square cut away.

    Attributes
    ----------
    grid
        Float32 (H, W) in [0, 1], covering the radiograph from edge to edge, at the size at which
        the network saw it or smaller. 0 everywhere if nothing speaks for a fracture.
    """

    grid: _Floats

    def __post_init__(self) -> None:
        if self.grid.ndim != 2 or 0 in self.grid.shape:
            raise ValueError(f"a heatmap has two dimensions, not the shape {self.grid.shape}")
        if not (np.isfinite(self.grid).all() and 0 <= self.grid.min() <= self.grid.max() <= 1):
            raise ValueError("a heatmap's values lie in [0, 1]")

    @classmethod
    def from_square(
        cls, cells: Tensor, prepared: PreparedImage, relative: bool, side: int | None = None
    ) -> Heatmap:
        """Make a heatmap of a grid of cells over the network's square.

        Parameters
        ----------
        cells
            Float tensor (h, w); negative values count as 0.
        prepared
            Whose square it is.
        relative
            Whether the hottest place of the radiograph becomes 1. Otherwise values are kept, and
            must not exceed 1.
        side
            Of the square on which the cells are spread; that of the network where ``None``.
        """
        full = prepared.tensor.shape[-1]
        side = side or full
        spread = torch.nn.functional.interpolate(
            cells.detach().float().cpu()[None, None], size=(side, side), mode="bilinear"
        )[0, 0]
        rows = _scaled(prepared.top, prepared.height, side / full)
        columns = _scaled(prepared.left, prepared.width, side / full)
        return cls.of(spread[rows, columns].numpy(), relative=relative)

    @classmethod
    def of(cls, values: NDArray[np.floating], *, relative: bool = True) -> Heatmap:
        """Make a heatmap of values (H, W) over the radiograph itself; negative ones count as 0."""
        grid = np.clip(values, 0, None).astype(np.float32)
        most = float(grid.max())
        if relative and most > np.finfo(np.float32).tiny:
            grid = grid / np.float32(most)
        return cls(np.clip(grid, 0, 1))

    def hottest(self) -> tuple[float, float] | None:
        """Return the hottest point as fractions (x, y) of the radiograph; ``None`` without heat.

        Of several equally hot places it is the middle of the first.
        """
        most = self.grid.max()
        if most <= 0:
            return None
        row, column = np.unravel_index(int(self.grid.argmax()), self.grid.shape)
        height, width = self.grid.shape
        across = _run(self.grid[row, column:] == most)
        down = _run(self.grid[row:, column] == most)
        return float((column + across / 2) / width), float((row + down / 2) / height)

    def resized(self, width: int, height: int) -> _Floats:
        """Return the heat as float32 (height, width) in [0, 1]."""
        image = Image.fromarray(self.grid).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(image, np.float32).clip(0, 1)

    def png(self, longest: int = KEPT_SIDE) -> bytes:
        """Return the heat as a small PNG in 8 bits of grey, 255 for 1."""
        height, width = self.grid.shape
        scale = min(1.0, longest / max(height, width))
        small = self.resized(max(1, round(width * scale)), max(1, round(height * scale)))
        file = io.BytesIO()
        Image.fromarray(np.rint(small * 255).astype(np.uint8)).save(file, "PNG", optimize=True)
        return file.getvalue()

    def over(self, pixels: _Floats) -> Image.Image:
        """Lay the heat over its radiograph.

        Parameters
        ----------
        pixels
            Float32 (H, W) in [0, 1], of any size.

        Returns
        -------
        PIL.Image.Image
            RGB, of the size of ``pixels``.
        """
        height, width = pixels.shape
        heat = self.resized(width, height)[..., None]
        grey = np.repeat(pixels[..., None] * np.float32(255), 3, axis=2)
        opacity = _OPACITY * np.clip(heat / _SHOWN_FROM, 0, 1) * np.sqrt(heat)
        mixed = grey * (1 - opacity) + _coloured(heat[..., 0]) * opacity
        return Image.fromarray(np.rint(mixed).clip(0, 255).astype(np.uint8))


def _scaled(first: int, length: int, scale: float) -> slice:
    start = round(first * scale)
    return slice(start, max(start + 1, round((first + length) * scale)))


def _run(equal: NDArray[np.bool_]) -> int:
    """Return how many values hold from the start on."""
    ends = np.flatnonzero(~equal)
    return int(ends[0]) if len(ends) else len(equal)


def _coloured(heat: _Floats) -> _Floats:
    """Map heat (H, W) in [0, 1] to colours (H, W, 3) in [0, 255]."""
    stops = np.linspace(0, 1, len(_RAMP))
    channels = [np.interp(heat, stops, _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)
