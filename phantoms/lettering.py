"""Lead letters on the cassette: side markers, and the word that says this is a phantom.

Each letter is a few strokes of a lead strip on a grid of 4 by 6, drawn here for this purpose.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from phantoms.attenuation import Field, FloatArray
from phantoms.tube import Point

_Stroke = tuple[tuple[float, float], ...]

_LETTERS: dict[str, tuple[_Stroke, ...]] = {
    "A": (((0, 6), (2, 0), (4, 6)), ((0.8, 4), (3.2, 4))),
    "H": (((0, 0), (0, 6)), ((4, 0), (4, 6)), ((0, 3), (4, 3))),
    "L": (((0, 0), (0, 6), (3.6, 6)),),
    "M": (((0, 6), (0, 0), (2, 3.4), (4, 0), (4, 6)),),
    "N": (((0, 6), (0, 0), (4, 6), (4, 0)),),
    "O": (((1, 0), (3, 0), (4, 1.4), (4, 4.6), (3, 6), (1, 6), (0, 4.6), (0, 1.4), (1, 0)),),
    "P": (((0, 6), (0, 0), (2.7, 0), (3.8, 0.8), (3.8, 2.4), (2.7, 3.2), (0, 3.2)),),
    "R": (
        ((0, 6), (0, 0), (2.7, 0), (3.8, 0.8), (3.8, 2.3), (2.7, 3.1), (0, 3.1)),
        ((1.9, 3.1), (3.9, 6)),
    ),
    "T": (((0, 0), (4, 0)), ((2, 0), (2, 6))),
}

_LEAD = 3.5
"""Optical depth of a lead letter: next to nothing passes."""


def add_letters(depth: FloatArray, field: Field, text: str, corner: Point, height: float) -> None:
    """Lay lead letters on the field, in place.

    Parameters
    ----------
    depth
        Optical depth, shape (rows, columns).
    text
        Letters of ``A H L M N O P R T``.
    corner
        Top left corner of the first letter, in mm.
    height
        Of the letters, in mm.
    """
    unit = height / 6
    lead = np.zeros_like(depth)
    for place, letter in enumerate(text):
        left = corner[0] + place * 5.6 * unit
        for stroke in _LETTERS[letter]:
            points = [(left + x * unit, corner[1] + y * unit) for x, y in stroke]
            for start, end in pairwise(points):
                _lay_strip(lead, field, start, end, 0.55 * unit)
    depth += lead


def _lay_strip(lead: FloatArray, field: Field, start: Point, end: Point, half: float) -> None:
    rows = _span(start[1], end[1], half, field.spacing, field.rows)
    columns = _span(start[0], end[0], half, field.spacing, field.columns)
    x, y = field.coordinates((rows, columns))
    run, rise = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * run + (y - start[1]) * rise) / (run * run + rise * rise)
    nearest = np.clip(along, 0.0, 1.0)
    away = np.hypot(x - start[0] - nearest * run, y - start[1] - nearest * rise)
    strip = _LEAD * np.clip((half - away) / field.spacing + 0.5, 0.0, 1.0)
    part = lead[rows, columns]
    np.maximum(part, strip.astype(np.float32), out=part)


def _span(a: float, b: float, half: float, spacing: float, count: int) -> slice:
    first = int(np.clip((min(a, b) - half) / spacing - 1, 0, count))
    return slice(first, int(np.clip((max(a, b) + half) / spacing + 2, first, count)))
