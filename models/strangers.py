"""Pictures that are no radiographs, drawn or cut from two photographs, to learn strangeness from.

The photographs are the two that come with scikit-learn (CC BY). None of these pictures is a test of
anything: what a fitted score refuses is measured on others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_Picture = NDArray[np.uint8]
_LEAST, _MOST = 160, 640  # pixels of a side


def draw_strangers(each: int, seed: int = 0) -> Iterator[_Picture]:
    """Yield pictures of every kind in turn, uint8 (H, W); the same for the same seed.

    Parameters
    ----------
    each
        How many of each kind.
    seed
        Of every random draw.
    """
    rng = np.random.default_rng(seed)
    photographs = _photographs()
    drawn = (_noise, _clouds, _gradient, _grating, _text, _shapes)

    def cut(rng: Generator) -> _Picture:
        return _cut(photographs, rng)

    kinds: tuple[Callable[[Generator], _Picture], ...] = (*drawn, cut, cut)
    for _ in range(each):
        for kind in kinds:
            yield kind(rng)


def _size(rng: Generator) -> tuple[int, int]:
    height, width = rng.integers(_LEAST, _MOST, 2)
    return int(height), int(width)


def _bytes(unit: NDArray[np.floating]) -> _Picture:
    found: _Picture = (np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return found


def _noise(rng: Generator) -> _Picture:
    noise: _Picture = rng.integers(0, 256, _size(rng), dtype=np.uint8)
    return noise


def _clouds(rng: Generator) -> _Picture:
    """Noise of few points, drawn large and smooth."""
    height, width = _size(rng)
    coarse = rng.integers(0, 256, rng.integers(4, 60, 2), dtype=np.uint8)
    cloud = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(cloud)


def _ramp(rng: Generator) -> NDArray[np.float64]:
    """Draw a plane that rises in some direction, in pixels."""
    height, width = _size(rng)
    angle = rng.uniform(0, 2 * np.pi)
    down, across = np.mgrid[:height, :width]
    found: NDArray[np.float64] = np.cos(angle) * across + np.sin(angle) * down
    return found


def _gradient(rng: Generator) -> _Picture:
    ramp = _ramp(rng)
    return _bytes((ramp - ramp.min()) / np.ptp(ramp))


def _grating(rng: Generator) -> _Picture:
    return _bytes(0.5 + 0.5 * np.sin(rng.uniform(0.01, 0.2) * _ramp(rng)))


def _text(rng: Generator) -> _Picture:
    height, width = _size(rng)
    paper = int(rng.choice([0, 255]))
    page = Image.new("L", (width, height), paper)
    pen = ImageDraw.Draw(page)
    for _ in range(40):
        word = "".join(map(chr, rng.integers(65, 122, 20)))
        place = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        pen.text(place, word, fill=255 - paper, font_size=int(rng.integers(10, 50)))
    return np.asarray(page)


def _shapes(rng: Generator) -> _Picture:
    height, width = _size(rng)
    page = Image.new("L", (width, height), int(rng.integers(0, 256)))
    pen = ImageDraw.Draw(page)
    for number in range(16):
        left, right = np.sort(rng.uniform(0, width, 2))
        top, bottom = np.sort(rng.uniform(0, height, 2))
        draw = pen.ellipse if number % 2 else pen.rectangle
        draw((left, top, right, bottom), fill=int(rng.integers(0, 256)))
    return np.asarray(page)


def _photographs() -> list[Image.Image]:
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(picture).convert("L") for picture in load_sample_images().images]


def _cut(photographs: list[Image.Image], rng: Generator) -> _Picture:
    whole = photographs[int(rng.integers(len(photographs)))]
    width, height = (int(side) for side in rng.integers(120, 420, 2))
    left = int(rng.integers(0, whole.width - width))
    top = int(rng.integers(0, whole.height - height))
    return np.asarray(whole.crop((left, top, left + width, top + height)))
