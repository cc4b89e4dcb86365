"""What limbs are made of: long bones, short bones and flesh, as tubes.

Attenuation is per mm, near 50 keV, where the tables of NIST (Standard Reference Database 126,
table 4) put adipose tissue near 0.020, soft tissue near 0.024 and cortical bone near 0.081. A bone
displaces muscle, so its tubes carry the difference.
"""

from __future__ import annotations

import math

from phantoms.tube import Point, Profile, Tube

FAT = 0.020
MUSCLE = 0.024
CORTEX = 0.081 - MUSCLE
MARROW = FAT - MUSCLE
SPONGIOSA = 0.0125
"""A fifth to a quarter of the volume is bone, the rest marrow."""

EVEN: Profile = ((0.0, 0.0),)


def long_bone(
    name: str,
    start: Point,
    end: Point,
    left: Profile,
    right: Profile | None = None,
    *,
    cortex: float = 2.5,
    flatness: float = 0.9,
    bow: float = 0.0,
    caps: tuple[float, float] = (6.0, 6.0),
    start_contour: Profile = EVEN,
    end_contour: Profile = EVEN,
    ends: tuple[float, float] = (0.12, 0.88),
) -> Tube:
    """Return a long bone: thick cortex and marrow in the shaft, spongiosa under thin plates.

    Parameters
    ----------
    cortex
        Thickness of the shaft's cortex in mm.
    ends
        Fractions of the length where the shaft begins and where it stops.
    """
    first, last = ends
    plate = 0.55
    shell: Profile = (
        (0.0, plate),
        (first, 0.35 * cortex),
        (first + 0.14, cortex),
        (0.5, 1.1 * cortex),
    )
    shell += ((last - 0.14, cortex), (last, 0.35 * cortex), (1.0, plate))
    core: Profile = ((0.0, SPONGIOSA), (first, 0.75 * SPONGIOSA), (first + 0.16, MARROW))
    core += ((last - 0.16, MARROW), (last, 0.75 * SPONGIOSA), (1.0, SPONGIOSA))
    return Tube(
        name,
        start,
        end,
        left,
        left if right is None else right,
        shell,
        CORTEX,
        core,
        flatness=flatness,
        bow=bow,
        start_cap=caps[0],
        end_cap=caps[1],
        start_contour=start_contour,
        end_contour=end_contour,
        texture=0.22,
    )


def short_bone(name: str, start: Point, end: Point, half: float, flatness: float = 0.9) -> Tube:
    """Return a carpal, a tarsal or a patella: spongiosa in a thin plate, an ellipse in outline."""
    width: Profile = ((0.0, half),)
    cap = 0.46 * math.dist(start, end)
    return Tube(
        name,
        start,
        end,
        width,
        width,
        ((0.0, 0.9),),
        CORTEX,
        ((0.0, SPONGIOSA),),
        flatness=flatness,
        start_cap=cap,
        end_cap=cap,
        texture=0.22,
    )


def flesh(
    start: Point,
    end: Point,
    left: Profile,
    right: Profile | None = None,
    *,
    fat: float = 4.0,
    flatness: float = 0.85,
    caps: tuple[float, float] = (8.0, 8.0),
) -> Tube:
    """Return muscle under a layer of fat, ``fat`` mm thick."""
    return Tube(
        "flesh",
        start,
        end,
        left,
        left if right is None else right,
        ((0.0, fat),),
        FAT,
        ((0.0, MUSCLE),),
        flatness=flatness,
        start_cap=caps[0],
        end_cap=caps[1],
    )
