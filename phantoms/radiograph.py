"""A phantom radiograph from a seed: limb, fracture, exposure, and the picture a reader would see.

The picture is made to look like a film. It is not one: what a classifier says of it measures
nothing but that the way from pixels to score works.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phantoms.attenuation import Field, FloatArray, optical_depth_of, trabecular_tile
from phantoms.exposure import Beam, coarse, collimated, expose
from phantoms.fracture import broken as with_fracture
from phantoms.lettering import add_letters
from phantoms.limb import Limb
from phantoms.lower_limb import foot, infant_leg, knee, leg
from phantoms.trunk import chest
from phantoms.upper_limb import forearm, hand, humerus

ANATOMIES: dict[str, Callable[[str], Limb]] = {
    "CHEST": chest,
    "FOOT": foot,
    "FOREARM": forearm,
    "HAND": hand,
    "HUMERUS": humerus,
    "INFANT LEG": infant_leg,
    "KNEE": knee,
    "LEG": leg,
}


@dataclass(frozen=True, slots=True)
class Break:
    """A phantom fracture: which bones, and whether their fragments are displaced."""

    bones: tuple[str, ...]
    apart: bool


def make_phantom(
    seed: int,
    anatomy: str,
    view: str = "AP",
    broken: Break | bool | None = None,
    *,
    rows: int = 1200,
    columns: int | None = None,
    side: str = "R",
    shuttered: bool = True,
    beam: Beam | None = None,
) -> FloatArray:
    """Return a phantom radiograph.

    The same arguments give the same picture, to the last bit on one machine: other processors may
    round an exponential differently.

    Parameters
    ----------
    anatomy
        A key of ``ANATOMIES``.
    view
        ``AP``, ``PA``, ``LAT`` or ``OBL``; an anatomy without that view shows its frontal one.
    broken
        Which bones are broken; ``True`` for the anatomy's first breakable bone, displaced.
    columns
        By default as many as the anatomy's own proportions ask for.
    side
        ``L`` or ``R``: laterality, and the lead marker; ``U`` for an unpaired part, marked ``R``.
    shuttered
        Whether what lies outside the collimator is shown black, else as it is: unexposed, white.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns), float32 in [0, 1], bright where tissue is dense.

    Raises
    ------
    ValueError
        The anatomy is not one of ours.
    """
    if anatomy not in ANATOMIES:
        raise ValueError(f"no phantom of {anatomy!r}; there are {', '.join(ANATOMIES)}")
    source = [seed, zlib.crc32(f"{anatomy}/{view}".encode())]
    rng = np.random.default_rng(source)
    # The fracture draws from its own source, so that a limb differs from its broken self in
    # nothing but the break.
    limb = _limb(anatomy, view, broken, np.random.default_rng([*source, 1])).posed(rng)
    field = _field(limb, rows, columns)
    beam = beam or _beam(rng)
    depth = optical_depth_of(limb.flesh, limb.bones, field, trabecular_tile(rng))
    np.maximum(depth, 0, out=depth)
    if limb.side not in (side, "U"):
        depth = np.ascontiguousarray(depth[:, ::-1])
    _add_markers(depth, field, side, beam)
    return _shown(expose(depth, beam, rng), beam, shuttered=shuttered)


def _limb(anatomy: str, view: str, broken: Break | bool | None, rng: np.random.Generator) -> Limb:
    limb = ANATOMIES[anatomy](view)
    if broken is True:
        broken = Break((limb.breakable[0][0],), apart=True) if limb.breakable else None
    if broken:
        limb = with_fracture(limb, broken.bones, rng, apart=broken.apart)
    return limb


def _field(limb: Limb, rows: int, columns: int | None) -> Field:
    if columns is None:
        columns = round(rows * limb.width / limb.height)
    return Field(rows, columns, max(limb.height / rows, limb.width / columns))


def _beam(rng: np.random.Generator) -> Beam:
    return Beam(
        quanta=float(rng.uniform(3500, 9000)),
        heel=float(rng.uniform(0.15, 0.35)),
        margin=float(rng.uniform(0.015, 0.045)),
        tilt=float(rng.uniform(-0.012, 0.012)),
    )


def _add_markers(depth: FloatArray, field: Field, side: str, beam: Beam) -> None:
    """Lay the side marker and the word PHANTOM along the top of the open field."""
    width, height = field.columns * field.spacing, field.rows * field.spacing
    letter = 0.032 * height
    inset = (beam.margin + 0.035) * min(width, height) + abs(beam.tilt) * height
    add_letters(depth, field, "L" if side == "L" else "R", (inset, inset), letter)
    small = 0.42 * letter
    add_letters(depth, field, "PHANTOM", (inset, inset + 1.35 * letter), small)


def _shown(reading: FloatArray, beam: Beam, *, shuttered: bool) -> FloatArray:
    """Return the reading as a film: logarithmic, its local contrast raised, within [0, 1]."""
    inside = collimated(reading.shape, beam, outside=0.0)
    film = -np.log(reading)
    film += np.float32(0.55) * (film - coarse(film * inside + (1 - inside) * film.min(), 16))
    low, high = _limits(film[::7, ::7], np.broadcast_to(inside, film.shape)[::7, ::7] > 0.99)
    film -= low
    film *= np.float32(0.9 / (high - low))
    film += np.float32(0.06)
    if shuttered:
        film *= inside
    return np.clip(film, 0, 1)


def _limits(film: FloatArray, exposed: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the darkest and the brightest that are worth showing; lead may go white."""
    low, high = np.percentile(film[exposed], (2.0, 99.3))
    return float(low), float(max(high, low + 0.5))
