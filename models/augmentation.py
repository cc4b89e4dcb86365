"""Random changes that leave a radiograph's label true: geometry, borders, intensity, resolution.

They act on the radiograph before :class:`models.transforms.Preparation` sees it, as a hospital
would: a film turned, collimated, exposed or compressed otherwise. Where the fractures went is kept
as a matrix, so that outlined boxes need no redrawing.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from models.dataset import Box
from models.transforms import PreparedImage

_MISSING_ROWS = 128  # what libjpeg fills in where a file ends too early
_SAMPLES_PER_CELL = 3
_ATTEMPTS = 8
# Of the settings that are neither chances nor shares.
_LARGEST = {"rotation_degrees": 180, "gamma": 5}


@dataclass(frozen=True, slots=True)
class AugmentationSettings:
    """How often and how far. Chances are in [0, 1]; a chance of 0 turns a change off.

    Attributes
    ----------
    quarter_turn
        Chance of a turn by 90, 180 or 270 degrees.
    rotation_degrees
        Largest further turn, either way.
    mirror
        Chance of left and right exchanged.
    crop, grow
        Largest share of a side cut off, or of air added.
    gamma
        Largest natural logarithm of the exponent, either way.
    brightness, contrast
        Largest shift, as a share of full scale, and largest relative change of the spread.
    resolution, jpeg
        Chance of a loss of resolution (to a half at worst), and of compression (quality 30 to 90).
    border
        Chance of a collimator's or a digitiser's border, of any brightness.
    missing_rows
        Chance of a file cut short: its last rows mid-grey.
    noise
        Largest standard deviation of added noise, as a share of full scale.
    invert
        Chance of bright and dark exchanged.
    """

    quarter_turn: float = 0.5
    rotation_degrees: float = 20.0
    mirror: float = 0.5
    crop: float = 0.2
    grow: float = 0.08
    gamma: float = 0.4
    brightness: float = 0.0
    contrast: float = 0.0
    resolution: float = 0.3
    jpeg: float = 0.25
    border: float = 0.25
    missing_rows: float = 0.06
    noise: float = 0.03
    invert: float = 0.03

    def __post_init__(self) -> None:
        for item in fields(self):
            largest = _LARGEST.get(item.name, 1)
            if not 0 <= getattr(self, item.name) <= largest:
                raise ValueError(f"{item.name} must lie in [0, {largest}]")


@dataclass(frozen=True, slots=True, eq=False)
class AugmentedRadiograph:
    """A changed radiograph.

    Attributes
    ----------
    pixels
        Uint8 (H, W).
    to_source
        Float64 (2, 3): takes (x, y, 1), fractions of the changed radiograph, to fractions of the
        one that it was made from.
    """

    pixels: NDArray[np.uint8]
    to_source: NDArray[np.float64]


UNCHANGED = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def augment(
    pixels: NDArray[np.uint8],
    boxes: Sequence[Box],
    settings: AugmentationSettings,
    rng: Generator,
) -> AugmentedRadiograph:
    """Change a radiograph at random, keeping every outlined fracture in view.

    Parameters
    ----------
    pixels
        Uint8 (H, W).
    boxes
        Outlines of its fractures, which no border may cover and no crop may cut away.
    settings
        How often and how far.
    rng
        The same state gives the same radiograph.
    """
    image = _add_border(pixels, boxes, settings, rng)
    image = _lose_rows(image, boxes, settings, rng)
    image, to_source = _move_in_view(image, boxes, settings, rng)
    image = _lose_resolution(image, settings, rng)
    image = _shift_intensity(image, settings, rng)
    return AugmentedRadiograph(_compress(image, settings, rng), to_source)


def _extent(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around all, or a point at the centre where there are none."""
    if not boxes:
        return Box(0.5, 0.5, 0.5, 0.5)
    return Box(
        max(0.0, min(box.left for box in boxes)),
        max(0.0, min(box.top for box in boxes)),
        min(1.0, max(box.right for box in boxes)),
        min(1.0, max(box.bottom for box in boxes)),
    )


def _margins(boxes: Sequence[Box], largest: float, rng: Generator) -> tuple[float, ...]:
    """Draw how much of each side (left, top, right, bottom) may go without touching a fracture."""
    extent = _extent(boxes)
    free = (extent.left, extent.top, 1 - extent.right, 1 - extent.bottom)
    return tuple(min(float(rng.uniform(0, largest)), room) for room in free)


def _add_border(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], settings: AugmentationSettings, rng: Generator
) -> NDArray[np.uint8]:
    if rng.random() >= settings.border:
        return pixels
    left, top, right, bottom = _margins(boxes, 0.15, rng)
    height, width = pixels.shape
    # Black collimation, a white edge of film on a light box, or something between.
    framed = np.full_like(pixels, rng.choice(np.array([0, 0, 255, int(rng.integers(0, 256))])))
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    framed[rows, columns] = pixels[rows, columns]
    return framed


def _lose_rows(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], settings: AugmentationSettings, rng: Generator
) -> NDArray[np.uint8]:
    if rng.random() >= settings.missing_rows:
        return pixels
    lost = round(_margins(boxes, 0.3, rng)[3] * pixels.shape[0])
    kept = pixels.copy()
    kept[pixels.shape[0] - lost :] = _MISSING_ROWS
    return kept


def _move_in_view(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], settings: AugmentationSettings, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Draw a movement that leaves every fracture's centre in view; none after a few attempts."""
    for _ in range(_ATTEMPTS):
        moved, to_source = _move(pixels, boxes, settings, rng)
        if _in_view(boxes, to_source):
            return moved, to_source
    return pixels, UNCHANGED


def _in_view(boxes: Sequence[Box], to_source: NDArray[np.float64]) -> bool:
    centres = np.array([[(b.left + b.right) / 2, (b.top + b.bottom) / 2] for b in boxes])
    if not len(centres):
        return True
    here = np.linalg.solve(to_source[:, :2], centres.T - to_source[:, 2:])
    return bool(((here > 0) & (here < 1)).all())


def _move(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], settings: AugmentationSettings, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Crop, turn and mirror in one resampling."""
    height, width = pixels.shape
    left, top, right, bottom = _margins(boxes, settings.crop, rng)
    grow = float(rng.uniform(0, settings.grow))
    turns = int(rng.integers(1, 4)) if rng.random() < settings.quarter_turn else 0
    angle = math.radians(float(rng.uniform(-1, 1)) * settings.rotation_degrees)
    mirror = -1.0 if rng.random() < settings.mirror else 1.0

    kept = np.array([(1 - left - right + grow) * width, (1 - top - bottom + grow) * height])
    source_centre = np.array([(1 + left - right) / 2 * width, (1 + top - bottom) / 2 * height])
    size = kept[::-1] if turns % 2 else kept
    size = np.maximum(np.rint(size), 1)
    total = angle + turns * math.pi / 2
    cosine, sine = math.cos(total), math.sin(total)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([mirror, 1.0])
    offset = source_centre - linear @ (size / 2)

    matrix = np.column_stack([linear, offset])
    moved = Image.fromarray(pixels).transform(
        (int(size[0]), int(size[1])),
        Image.Transform.AFFINE,
        tuple(matrix.ravel()),
        resample=Image.Resampling.BILINEAR,
    )
    source_size = np.array([[width], [height]])
    return np.asarray(moved), matrix * np.array([size[0], size[1], 1.0]) / source_size


def _lose_resolution(
    pixels: NDArray[np.uint8], settings: AugmentationSettings, rng: Generator
) -> NDArray[np.uint8]:
    if rng.random() >= settings.resolution:
        return pixels
    factor = float(rng.uniform(0.5, 1.0))
    height, width = pixels.shape
    smaller = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(smaller, Image.Resampling.BILINEAR))


def _shift_intensity(
    pixels: NDArray[np.uint8], settings: AugmentationSettings, rng: Generator
) -> NDArray[np.uint8]:
    levels = np.linspace(0, 1, 256) ** math.exp(rng.uniform(-1, 1) * settings.gamma)
    if settings.brightness or settings.contrast:
        contrast = 1 + float(rng.uniform(-1, 1)) * settings.contrast
        levels = (levels - 0.5) * contrast + 0.5 + float(rng.uniform(-1, 1)) * settings.brightness
        levels = np.clip(levels, 0, 1)
    if rng.random() < settings.invert:
        levels = 1 - levels
    changed = levels.astype(np.float32)[pixels]
    deviation = float(rng.uniform(0, settings.noise)) if rng.random() < 0.3 else 0.0
    if deviation:
        changed += rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(deviation)
    return (np.clip(changed, 0, 1) * 255 + 0.5).astype(np.uint8)


def _compress(
    pixels: NDArray[np.uint8], settings: AugmentationSettings, rng: Generator
) -> NDArray[np.uint8]:
    if rng.random() >= settings.jpeg:
        return pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(30, 91)))
    return np.asarray(Image.open(buffer))


def cell_target(
    boxes: Sequence[Box],
    prepared: PreparedImage,
    cell: int,
    to_source: NDArray[np.float64] = UNCHANGED,
) -> NDArray[np.float32]:
    """Return 1 for each cell of the network's square that an outlined fracture touches, else 0.

    Parameters
    ----------
    boxes
        In fractions of the radiograph as it was before any change.
    prepared
        The changed radiograph in its square of S by S pixels.
    cell
        Side of a cell in pixels; a divisor of S.
    to_source
        From fractions of the changed radiograph to those of the boxes.
    """
    side = prepared.tensor.shape[-1]
    count = side // cell * _SAMPLES_PER_CELL
    points = (np.arange(count) + 0.5) * (side / count)
    x, y = np.meshgrid(
        (points - prepared.left) / prepared.width, (points - prepared.top) / prepared.height
    )
    source_x, source_y = np.tensordot(to_source, np.stack([x, y, np.ones_like(x)]), 1)
    touched = np.zeros_like(x, dtype=bool)
    for box in boxes:
        touched |= (
            (source_x >= box.left)
            & (source_x <= box.right)
            & (source_y >= box.top)
            & (source_y <= box.bottom)
        )
    # A fracture that a crop cut through does not go on in the air around the radiograph.
    touched &= (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    folded = touched.reshape(side // cell, _SAMPLES_PER_CELL, side // cell, _SAMPLES_PER_CELL)
    cells: NDArray[np.float32] = np.any(folded, axis=(1, 3)).astype(np.float32)
    return cells
