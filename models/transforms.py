"""How a radiograph becomes the tensor that a network sees: one way, for training and for work.

Everything that scores an image goes through :class:`Preparation`: training hands it augmented
radiographs, validation plain ones, the worker those that came from the PACS. What the network was
trained on and what it meets at work can therefore not drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.croppad.array import SpatialPad
from monai.transforms.intensity.array import GaussianSmooth, HistogramNormalize
from monai.transforms.utility.array import EnsureChannelFirst, EnsureType
from numpy.typing import NDArray
from torch import Tensor

from models.input_settings import InputSettings
from screening.errors import PixelError

_DARK = -1.0  # air, and what surrounds the radiograph in its square


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """A radiograph fitted into the network's square, and how to find the way back.

    Attributes
    ----------
    tensor
        Float32 (1, S, S), values in [-1, 1].
    left, top, width, height
        Where the radiograph lies in the square, in pixels of the square.
    """

    tensor: Tensor
    left: int
    top: int
    width: int
    height: int

    def to_radiograph(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the square (pixels) as fractions of the radiograph, within [0, 1]."""
        across = min(max((x - self.left) / self.width, 0.0), 1.0)
        down = min(max((y - self.top) / self.height, 0.0), 1.0)
        return across, down


@dataclass(frozen=True, slots=True)
class LongestSide:
    """Resize to a longest side of ``size`` pixels, aspect kept; smooth when it shrinks.

    PyTorch's antialiased bilinear filter takes 3 ms for a film of 5 megapixels, where MONAI's
    ``Resize(anti_aliasing=True)`` takes 319 ms, and, unlike ``mode="area"``, it also enlarges.
    """

    size: int

    def __call__(self, image: Tensor) -> Tensor:
        """Map (1, H, W) to (1, h, w) with max(h, w) == size."""
        height, width = image.shape[-2:]
        scale = self.size / max(height, width)
        target = (max(1, round(height * scale)), max(1, round(width * scale)))
        return torch.nn.functional.interpolate(
            image[None], size=target, mode="bilinear", antialias=True
        )[0]


@dataclass(frozen=True, slots=True)
class PercentileContrast:
    """Stretch the intensities between two percentiles over [-1, 1], clipped.

    Attributes
    ----------
    lower, upper
        Percentiles in [0, 100]. An image with nothing between them becomes uniformly dark.
    """

    lower: float
    upper: float

    def __call__(self, image: Tensor) -> Tensor:
        """Map float (1, h, w) to the same shape, values in [-1, 1]."""
        # numpy's partition takes 1 ms where torch.quantile, and MONAI with it, takes 21 ms.
        low, high = np.percentile(np.asarray(image), (self.lower, self.upper))
        span = float(high - low)
        if span <= np.finfo(np.float32).eps:
            return torch.full_like(image, _DARK)
        return ((image - float(low)) * (2.0 / span) - 1.0).clamp(-1.0, 1.0)


class Preparation:
    """Contrast, size and shape: from a radiograph to a network's input.

    Parameters
    ----------
    size
        Side of the square that the network sees, in pixels.
    lower, upper
        Percentiles of the radiograph's intensities that become darkest and brightest.
    equalise, blur
        Whether the histogram is equalised, and how far the image is blurred, before that.
    """

    def __init__(
        self,
        size: int,
        lower: float = 1.0,
        upper: float = 99.0,
        equalise: bool = False,
        blur: float = 0.0,
    ) -> None:
        self.size = size
        softened = [GaussianSmooth(blur)] if blur else []
        spread = [HistogramNormalize(num_bins=256, min=0, max=1)] if equalise else []
        self._fit = Compose(
            [
                EnsureChannelFirst(channel_dim="no_channel"),
                EnsureType(track_meta=False),
                LongestSide(size),
                *softened,
                *spread,
                PercentileContrast(lower, upper),
            ]
        )
        self._pad = Compose(
            [SpatialPad((size, size), value=_DARK), EnsureType(track_meta=False)],
        )

    @classmethod
    def of(cls, settings: InputSettings) -> Preparation:
        """Return the preparation that a recipe or a bundle asks for."""
        return cls(settings.size, settings.lower, settings.upper, settings.equalise, settings.blur)

    def __call__(self, pixels: NDArray[np.float32]) -> PreparedImage:
        """Prepare one radiograph.

        Parameters
        ----------
        pixels
            Float32 (H, W) in [0, 1], in presentation sense: dense bone is bright.

        Raises
        ------
        PixelError
            If it is no image: not two-dimensional, empty, or not made of finite numbers.
        """
        if pixels.ndim != 2 or 0 in pixels.shape:
            raise PixelError(f"an image to score is one grey frame, not an array of {pixels.shape}")
        if not np.isfinite(pixels).all():
            raise PixelError("an image to score is made of finite numbers; check its rescaling")
        fitted = self._fit(np.ascontiguousarray(pixels, dtype=np.float32))
        height, width = fitted.shape[-2:]
        # MONAI's symmetric padding puts the odd pixel after the image.
        left, top = (self.size - width) // 2, (self.size - height) // 2
        return PreparedImage(self._pad(fitted), left, top, width, height)
