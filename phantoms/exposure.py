"""From optical depth to what a detector reads: beam, scatter, focal spot, quanta, collimator.

Beer and Lambert's law, with a beam that fades towards the anode (the heel effect), scatter that
follows the primary beam at a coarse scale, and Poisson noise of the quanta that arrive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantoms.attenuation import FloatArray


@dataclass(frozen=True, slots=True)
class Beam:
    """How one exposure is made.

    Attributes
    ----------
    quanta
        Photons per pixel in the open beam: fewer is noisier.
    heel
        Loss from the cathode to the anode side of the field, as a fraction.
    scatter
        Scattered over primary radiation.
    margin
        Width of the collimated border, as a fraction of the field's smaller side.
    tilt
        How much the collimator is askew, in pixels per pixel.
    """

    quanta: float = 3000.0
    heel: float = 0.25
    scatter: float = 0.12
    margin: float = 0.04
    tilt: float = 0.01


def expose(depth: FloatArray, beam: Beam, rng: np.random.Generator) -> FloatArray:
    """Return the detector's reading, 1 in the open beam, shape (rows, columns), all above 0.

    Parameters
    ----------
    depth
        Optical depth, shape (rows, columns), at least 0.
    """
    primary: FloatArray = np.exp(-depth)
    primary *= _heel(depth.shape, beam.heel)
    primary *= collimated(depth.shape, beam, outside=0.004)
    primary = _blurred(primary)
    primary += np.float32(beam.scatter) * coarse(primary)
    noise = rng.standard_normal(depth.shape, dtype=np.float32)
    noise *= np.sqrt(primary / np.float32(beam.quanta))
    return np.maximum(_blurred(primary + noise), np.float32(1e-4))


def _heel(shape: tuple[int, ...], loss: float) -> FloatArray:
    rows = np.linspace(1.0, 0.0, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1.0, 1.0, shape[1], dtype=np.float32)[None, :]
    fading: FloatArray = (1 - np.float32(loss) * rows**2) * (1 - np.float32(0.08) * columns**2)
    return fading


def collimated(shape: tuple[int, ...], beam: Beam, outside: float) -> FloatArray:
    """Return 1 inside the collimator's blades and ``outside`` beyond, shape (rows, columns)."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    margin, tilt = np.float32(beam.margin * min(shape)), np.float32(beam.tilt)
    if margin <= 0:
        return np.ones((1, 1), np.float32)
    top = rows - margin - tilt * columns
    left = columns - margin + tilt * rows - tilt * shape[0]
    bottom = shape[0] - 1 - rows - margin + tilt * columns - tilt * shape[1]
    right = shape[1] - 1 - columns - margin - tilt * rows
    nearest = np.minimum(np.minimum(top, bottom), np.minimum(left, right))
    return np.clip(nearest / 3, np.float32(outside), 1)


def _blurred(image: FloatArray) -> FloatArray:
    """Return the image under a kernel of 1, 3, 1 along each axis: focal spot and detector."""
    padded = np.pad(image, 1, mode="edge")
    rows = (padded[:-2] + 3 * padded[1:-1] + padded[2:]) / np.float32(5)
    blurred: FloatArray = (rows[:, :-2] + 3 * rows[:, 1:-1] + rows[:, 2:]) / np.float32(5)
    return blurred


def coarse(image: FloatArray, blocks: int = 24) -> FloatArray:
    """Return the image with only what is larger than about a ``blocks``-th of it."""
    rows, columns = (
        np.linspace(0, size, min(blocks, size) + 1).astype(np.intp) for size in image.shape
    )
    means = np.add.reduceat(np.add.reduceat(image, rows[:-1], 0), columns[:-1], 1)
    means /= np.diff(rows)[:, None] * np.diff(columns)[None, :]
    return _stretched(_stretched(_smooth(means), image.shape[0], 0), image.shape[1], 1)


def _smooth(means: FloatArray) -> FloatArray:
    return _blurred(_blurred(means))


def _stretched(image: FloatArray, size: int, axis: int) -> FloatArray:
    """Return the image at ``size`` along ``axis``, interpolated linearly."""
    at = (np.arange(size) + 0.5) * image.shape[axis] / size - 0.5
    at = np.clip(at, 0, image.shape[axis] - 1)
    low = np.minimum(at.astype(np.intp), max(image.shape[axis] - 2, 0))
    part = (at - low).astype(np.float32)
    part = part[:, None] if axis == 0 else part[None, :]
    first = np.take(image, low, axis)
    second = np.take(image, np.minimum(low + 1, image.shape[axis] - 1), axis)
    stretched: FloatArray = first + (second - first) * part
    return stretched.astype(np.float32)
