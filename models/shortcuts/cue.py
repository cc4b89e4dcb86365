"""What can be told of a film without looking at its bones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models.dataset import LabelledRadiograph, read_pixels
from models.evaluation.scoring import Step, silent
from models.shortcuts.jpeg_quality import jpeg_quality
from screening.errors import TrainingError

CUES = (
    "aspect ratio",
    "image size",
    "JPEG quality",
    "mean intensity",
    "spread of intensity",
)
"""The cues of every film, in the order of :func:`read_cues`; columns of the table follow them."""


def read_cues(
    rows: Sequence[LabelledRadiograph],
    columns: Sequence[str] = (),
    on_image: Step = silent,
) -> NDArray[np.float64]:
    """Read the cues of films.

    Parameters
    ----------
    rows
        Of a split, N of them.
    columns
        Columns of the table that are cues too, as ``hardware``; they hold numbers.
    on_image
        Called as films are read, with how many and of how many.

    Returns
    -------
    numpy.ndarray
        Float64 (N, len(CUES) + len(columns)): width by height, longer side in pixels, JPEG quality
        from 1 to 100, mean and standard deviation of the grey levels in [0, 255], and the columns.
        A cell is NaN where a film has no such thing, as a PNG or a DICOM file has no JPEG quality.

    Raises
    ------
    TrainingError
        If a film cannot be read, or a column does not exist or holds words.
    """
    cues = np.empty((len(rows), len(CUES) + len(columns)))
    for number, row in enumerate(rows):
        cues[number] = [*_of_film(row), *(_cell(row, column) for column in columns)]
        on_image(number + 1, len(rows))
    return cues


def _of_film(row: LabelledRadiograph) -> tuple[float, ...]:
    pixels = read_pixels(row.path)
    height, width = pixels.shape
    return (
        width / height,
        float(max(pixels.shape)),
        _quality(row),
        float(pixels.mean()),
        float(pixels.std()),
    )


def _quality(row: LabelledRadiograph) -> float:
    try:
        with Image.open(row.path) as image:
            quality = jpeg_quality(image)
    except UnidentifiedImageError:
        # Pillow does not read DICOM.
        quality = None
    return float("nan") if quality is None else float(quality)


def _cell(row: LabelledRadiograph, column: str) -> float:
    if column not in row.attributes:
        raise TrainingError(f"the table has no column {column}: name one that it has, or none")
    text = row.attributes[column].strip()
    try:
        return float(text) if text else float("nan")
    except ValueError:
        raise TrainingError(
            f"column {column} holds {text!r} for {row.path.name}: a cue is a number"
        ) from None
