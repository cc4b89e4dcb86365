"""Small labelled sets, drawn: no two films are alike unless a test makes them so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

LABELS = ("fractured", "not_fractured")


def film(seed: int, size: tuple[int, int] = (240, 240)) -> Image.Image:
    """Draw bones of no anatomy: bright strips over soft tissue, another picture for each seed."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (240, 240), 12)
    pen = ImageDraw.Draw(picture)
    for _ in range(7):
        x, y, dx, dy = rng.uniform(20, 220, 4)
        pen.line((x, y, dx, dy), fill=int(rng.integers(60, 150)), width=int(rng.integers(14, 34)))
        pen.line((x, y, dx, dy), fill=int(rng.integers(160, 250)), width=int(rng.integers(3, 9)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def class_folders(root: Path, each: int = 3, splits: tuple[str, ...] = ("",)) -> Path:
    """Write PNG films, ``each`` per class and split, below split and class folders."""
    seed = 0
    for split in splits:
        for label in LABELS:
            for number in range(each):
                path = root / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                film(seed := seed + 1).save(path)
    return root


def unlike(count: int) -> list[Image.Image]:
    """Return films of which no two are copies."""
    return [film(1000 + seed) for seed in range(count)]
