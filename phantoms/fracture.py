"""Breaking a bone: a jagged line across its cortex, and fragments that have moved apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from phantoms.limb import Limb
from phantoms.tube import Cut, Tube


@dataclass(frozen=True, slots=True)
class Displacement:
    """How the distal fragment has moved.

    Attributes
    ----------
    along
        Away from the proximal fragment, in mm; below 0 they overlap.
    across
        To the bone's right, in half widths of the bone.
    degrees
        Turned clockwise.
    """

    along: float
    across: float
    degrees: float


def hairline(rng: np.random.Generator) -> Displacement:
    """Return a fissure: the fragments have barely parted."""
    across, degrees = rng.uniform(-0.07, 0.07), rng.uniform(-1.0, 1.0)
    return Displacement(float(rng.uniform(0.5, 0.9)), float(across), float(degrees))


def displaced(rng: np.random.Generator) -> Displacement:
    """Return a displaced and angulated break."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    across, degrees = -side * rng.uniform(0.35, 0.8), side * rng.uniform(4.0, 8.0)
    return Displacement(float(rng.uniform(-1.5, 1.5)), float(across), float(degrees))


def broken(limb: Limb, bones: Iterable[str], rng: np.random.Generator, *, apart: bool) -> Limb:
    """Return the limb with each of ``bones`` broken at its usual place.

    Parameters
    ----------
    apart
        Whether the fragments are displaced, or only a fissure parts them.
    """
    places = dict(limb.breakable)
    movement = displaced(rng) if apart else hairline(rng)
    flesh, whole, parts = limb.flesh, list(limb.bones), []
    for name in bones:
        bone = next(tube for tube in whole if tube.name == name)
        at = bone.length * float(np.clip(places[name] + rng.uniform(-0.03, 0.03), 0.05, 0.95))
        followers = [tube for tube in whole if _follows(tube, bone)]
        whole = [tube for tube in whole if tube is not bone and tube not in followers]
        parts += _fragments(bone, at, movement, rng, followers)
        flesh = tuple(
            _moved(tube, bone, at, movement) if _follows(tube, bone) else tube for tube in flesh
        )
    return replace(limb, flesh=flesh, bones=(*whole, *parts))


def _fragments(
    bone: Tube,
    at: float,
    movement: Displacement,
    rng: np.random.Generator,
    followers: Iterable[Tube],
) -> list[Tube]:
    """Return both fragments of ``bone``, and what has moved with the distal one."""
    slope, teeth = float(rng.uniform(-0.7, 0.7)), _teeth(rng, bone)
    proximal = replace(bone, cut=Cut(at, slope, teeth, keeps_start=True))
    distal = replace(bone, cut=Cut(at, slope, teeth, keeps_start=False))
    return [proximal, *(_moved(tube, bone, at, movement) for tube in (distal, *followers))]


def _moved(tube: Tube, bone: Tube, at: float, movement: Displacement) -> Tube:
    """Return ``tube`` as it lies once it has moved with the distal fragment of ``bone``."""
    pivot = (bone.start[0] + at * bone.direction[0], bone.start[1] + at * bone.direction[1])
    return tube.moved(pivot, movement.degrees, _shift(bone, at, movement))


def _teeth(rng: np.random.Generator, bone: Tube) -> tuple[float, ...]:
    """Return the jags of a break, coarse and fine, in mm."""
    coarse = np.interp(np.linspace(0, 4, 15), np.arange(5), rng.normal(0.0, 0.12 * bone.reach, 5))
    return tuple(float(tooth) for tooth in coarse + rng.normal(0.0, 0.045 * bone.reach, 15))


def _shift(bone: Tube, at: float, movement: Displacement) -> tuple[float, float]:
    """Return the distal fragment's shift in the field, in mm."""
    along, down = bone.direction
    nearest = min(bone.left, key=lambda place: abs(place[0] * bone.length - at))
    sideways = movement.across * nearest[1]
    return (
        movement.along * along - sideways * down,
        movement.along * down + sideways * along,
    )


def _follows(tube: Tube, bone: Tube) -> bool:
    """Whether ``tube`` lies beyond the far end of ``bone``, in line with it, and moves with it."""
    middle = ((tube.start[0] + tube.end[0]) / 2, (tube.start[1] + tube.end[1]) / 2)
    u, v = bone.local(middle)
    return bone.length < u < 3.0 * bone.length and abs(v) < 2.2 * bone.reach
