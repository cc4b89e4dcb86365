"""What a network sees of a radiograph; without torch, since a bundle's metadata holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputSettings:
    """Arguments of :class:`models.transforms.Preparation`.

    Attributes
    ----------
    size
        Side of the network's square in pixels, a multiple of 32.
    lower, upper
        Percentiles of intensity, in [0, 100], that become darkest and brightest.
    equalise
        Spread the intensities evenly over the range (a histogram equalisation) before that.
    blur
        Standard deviation of a Gaussian blur before that, in pixels of the network's input; 0 for
        none.
    orientations
        How many views of the image are read and averaged: 1 as it is, 2 with its mirror image, 4
        also upside down, 8 all turns.
    """

    size: int = 384
    lower: float = 1.0
    upper: float = 99.0
    equalise: bool = False
    blur: float = 0.0
    orientations: int = 1

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 4096 or self.size % 32:
            raise ValueError(f"size must be a multiple of 32 from 32 to 4096, not {self.size}")
        if not 0 <= self.lower < self.upper <= 100:
            raise ValueError("lower and upper must satisfy 0 <= lower < upper <= 100")
        if not 0 <= self.blur <= 10:
            raise ValueError("blur must lie in [0, 10]")
        if self.orientations not in (1, 2, 4, 8):
            raise ValueError(f"orientations must be 1, 2, 4 or 8, not {self.orientations}")
