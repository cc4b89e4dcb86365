"""What a tube takes from the beam: its optical depth, on the field that the detector sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phantoms.tube import Cut, Profile, Tube

FloatArray = npt.NDArray[np.float32]

_STEPS = 1024
"""Samples of a profile: a quarter of a millimetre on a forearm."""


@dataclass(frozen=True, slots=True)
class Field:
    """The field that the detector sees: ``rows`` by ``columns`` pixels of ``spacing`` mm."""

    rows: int
    columns: int
    spacing: float

    def window(self, tube: Tube) -> tuple[slice, slice]:
        """Return the rows and the columns outside which ``tube`` cannot lie."""
        reach = tube.reach
        low = [min(a, b) - reach for a, b in zip(tube.start, tube.end, strict=True)]
        high = [max(a, b) + reach for a, b in zip(tube.start, tube.end, strict=True)]
        return (
            self._pixels(low[1], high[1], self.rows),
            self._pixels(low[0], high[0], self.columns),
        )

    def _pixels(self, low: float, high: float, count: int) -> slice:
        first = min(max(math.floor(low / self.spacing), 0), count)
        return slice(first, min(max(math.ceil(high / self.spacing), first), count))

    def coordinates(self, window: tuple[slice, slice]) -> tuple[FloatArray, FloatArray]:
        """Return x (1, columns) and y (rows, 1) of the pixels' centres in mm."""
        rows, columns = window
        return self._centres(columns)[None, :], self._centres(rows)[:, None]

    def _centres(self, pixels: slice) -> FloatArray:
        count = np.arange(pixels.start, pixels.stop, dtype=np.float32)
        return (count + np.float32(0.5)) * np.float32(self.spacing)


def optical_depth(
    tube: Tube, field: Field, trabeculae: FloatArray
) -> tuple[tuple[slice, slice], FloatArray]:
    """Return where in ``field`` the tube lies and the optical depth that it adds there.

    Parameters
    ----------
    trabeculae
        A square tile of zero mean, shape (N, N), N a power of two, laid along the tube.

    Returns
    -------
    tuple
        Rows and columns, and an array of their shape: attenuation times path, without unit.
    """
    window = field.window(tube)
    u, v = _along_and_across(tube, *field.coordinates(window))
    index = np.clip(u * np.float32(_STEPS / tube.length), 0, _STEPS - 1).astype(np.intp)
    left, right, shell = _table(tube.left), _table(tube.right), _table(tube.shell)
    half = (left + right) * np.float32(0.5)
    bow = np.float32(tube.bow) * np.sin(np.linspace(0.0, np.pi, _STEPS, dtype=np.float32))
    v -= ((right - left) * np.float32(0.5) + bow)[index]
    across = v / half[index]
    ends = _past_the_ends(tube, u, across)
    caps = (tube.start_cap, tube.end_cap)
    deep = np.float32(tube.flatness) * half
    whole = _path(half, deep, caps, v, index, ends)
    caps = (max(caps[0] - float(shell[0]), 0.3), max(caps[1] - float(shell[-1]), 0.3))
    core = _path(half - shell, deep - shell, caps, v, index, ends)
    depth = (whole - core) * np.float32(tube.shell_mu)
    core *= _table(tube.core_mu)[index]
    if tube.texture:
        core *= 1 + np.float32(tube.texture) * _laid(trabeculae, u, v)
    depth += core
    if tube.cut is not None:
        depth *= _kept(tube.cut, u, v, across)
    return window, depth


def _along_and_across(tube: Tube, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each point's distance along the tube's axis and to its right, in mm."""
    along, down = (np.float32(part) for part in tube.direction)
    x, y = x - np.float32(tube.start[0]), y - np.float32(tube.start[1])
    return x * along + y * down, y * along - x * down


def _path(
    half: FloatArray,
    depth: FloatArray,
    caps: tuple[float, float],
    v: FloatArray,
    index: npt.NDArray[np.intp],
    ends: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Return the path of each ray through the ellipse of half axes ``half``, ``depth``, in mm."""
    squared = np.square(v * (1 / half)[index])
    for past, cap in zip(ends, caps, strict=True):
        squared += np.square(past * np.float32(1 / cap))
    path: FloatArray = np.sqrt(np.maximum(1 - squared, 0, out=squared), out=squared)
    path *= (2 * np.maximum(depth, 0))[index]
    return path


def _table(profile: Profile) -> FloatArray:
    """Return a profile at even steps, its corners rounded."""
    at, values = zip(*profile, strict=True)
    table = np.interp(np.linspace(0.0, 1.0, _STEPS), at, values)
    width = _STEPS // 24
    kernel = np.hanning(2 * width + 1)
    smooth = np.convolve(np.pad(table, width, mode="edge"), kernel / kernel.sum(), mode="valid")
    return smooth.astype(np.float32)


def _past_the_ends(tube: Tube, u: FloatArray, across: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far each point lies inside the rounded start and the rounded end, in mm."""
    place = np.clip((across + 1) * (_STEPS / 2), 0, _STEPS - 1).astype(np.intp)
    first = -_table(tube.start_contour)[place] + np.float32(tube.start_cap)
    last = _table(tube.end_contour)[place]
    last += np.float32(tube.length - tube.end_cap)
    return np.maximum(first - u, 0), np.maximum(u - last, 0)


def _laid(tile: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Lay the tile along the tube: 10 samples per mm, repeated."""
    last = tile.shape[0] - 1
    laid: FloatArray = tile[(u * 10).astype(np.intp) & last, (v * 10).astype(np.intp) & last]
    return laid


def _kept(cut: Cut, u: FloatArray, v: FloatArray, across: FloatArray) -> FloatArray:
    """Return 1 on the kept side of a cut and 0 beyond, over a third of a millimetre."""
    place = np.linspace(-1.0, 1.0, len(cut.teeth))
    teeth = np.interp(across, place, cut.teeth).astype(np.float32)
    beyond = u - np.float32(cut.at) - np.float32(cut.slope) * v - teeth
    sign = np.float32(-3.0 if cut.keeps_start else 3.0)
    kept: FloatArray = np.clip(sign * beyond + np.float32(0.5), 0, 1)
    return kept


def trabecular_tile(rng: np.random.Generator, size: int = 512) -> FloatArray:
    """Return a seamless tile of zero mean and unit deviation that looks like trabecular bone.

    Its grains are about a millimetre wide and several long, along the first axis.
    """
    along = np.fft.fftfreq(size)[:, None] * 10
    across = np.fft.fftfreq(size)[None, :] * 10
    radius = np.hypot(3.5 * along, across)
    band = np.exp(-(((radius - 0.9) / 0.6) ** 2)) + 0.6 * np.exp(-((radius / 0.25) ** 2))
    noise = np.fft.fft2(rng.standard_normal((size, size)))
    tile = np.fft.ifft2(noise * band).real
    tile -= tile.mean()
    scaled: FloatArray = (tile / tile.std()).astype(np.float32)
    return scaled


def optical_depth_of(
    flesh: Sequence[Tube], bones: Sequence[Tube], field: Field, trabeculae: FloatArray
) -> FloatArray:
    """Return the optical depth of a limb, shape (rows, columns).

    Flesh does not add where its tubes overlap (a finger's root lies in the palm); bones do.
    """
    depth = np.zeros((field.rows, field.columns), np.float32)
    for tube in flesh:
        window, added = optical_depth(tube, field, trabeculae)
        np.maximum(depth[window], added, out=depth[window])
    for tube in bones:
        window, added = optical_depth(tube, field, trabeculae)
        depth[window] += added
    return depth
