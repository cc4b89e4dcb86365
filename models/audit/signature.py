"""A perceptual hash of a radiograph that turning and mirroring do not change.

The film is stretched to a square and sampled on fifteen rings about its centre, as in ring
partition hashing (Tang et al., IEEE TIFS 11(1), 2016, doi:10.1109/TIFS.2015.2485163). Of each ring
the Fourier coefficients along the angle are kept. Turning the film by an angle a multiplies
coefficient k by exp(-ika), mirroring conjugates it: the magnitudes stay as they are, and what the
phases have in common tells by which angle. So one signature serves the eight orientations (quarter
turns and their mirror images) and every angle between, which the DCT hash (pHash) does not: see
``docs/datasets.md`` for both, measured.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.audit.film import THUMBNAIL

RINGS = 15
FREQUENCIES = 24
ANGLES = 128
"""Samples on a ring. A ring of the largest radius passes 190 pixels of the thumbnail."""

_EQUALISED = 0.5
"""Share of the rank of a grey level, against the level itself. Levels alone see the bright shaft of
a bone and little of the hand beside it: feet of different patients look alike. Ranks alone see the
noise of a black background. ``docs/datasets.md`` has the figures."""

Signature = NDArray[np.complex64]


def signature(thumbnail: NDArray[np.uint8]) -> Signature:
    """Return the signature of a thumbnail.

    Parameters
    ----------
    thumbnail
        Shape (64, 64), as `models.audit.film.Film` has it: not of one brightness.

    Returns
    -------
    ndarray of complex64, shape (15, 24)
        Fourier coefficients 1 to 24 of the rings, of Euclidean norm 1; zeros if every ring is of
        one brightness.
    """
    rings = _rings(_equalised(thumbnail))
    spectrum = np.fft.rfft(rings, axis=1)[:, 1 : FREQUENCIES + 1] * _weights()
    norm = float(np.linalg.norm(spectrum))
    return (spectrum / norm if norm else spectrum).astype(np.complex64)


def _equalised(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mix each pixel's level, over the range that occurs, with its rank; both in [0, 1]."""
    counts = np.bincount(thumbnail.ravel(), minlength=256)
    rank = (np.cumsum(counts) - counts / 2) / thumbnail.size
    low, high = int(thumbnail.min()), int(thumbnail.max())
    level = (np.arange(256) - low) / max(high - low, 1)
    mixed = _EQUALISED * rank + (1 - _EQUALISED) * level
    return mixed.astype(np.float32)[thumbnail]


def _rings(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sample the rings bilinearly, clockwise from the right; shape (rings, angles)."""
    top, left, down, right = _grid()
    above = image[top, left] * (1 - right) + image[top, left + 1] * right
    below = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return np.asarray(above * (1 - down) + below * down, np.float32)


@lru_cache(maxsize=1)
def _grid() -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    centre = (THUMBNAIL - 1) / 2
    angles = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    y = centre + _radii()[:, None] * np.sin(angles)
    x = centre + _radii()[:, None] * np.cos(angles)
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    return top, left, (y - top).astype(np.float32), (x - left).astype(np.float32)


def _radii() -> NDArray[np.float64]:
    # The outermost ring stays off the edge, where resizing and black corners of a turn disturb.
    return np.linspace(2.0, THUMBNAIL / 2 - 2, RINGS)


@lru_cache(maxsize=1)
def _weights() -> NDArray[np.float64]:
    """Weigh a ring by its length, and lift high frequencies as a film's spectrum falls (1/k)."""
    return np.asarray(np.sqrt(_radii())[:, None] * np.arange(1, FREQUENCIES + 1))
