"""A chest, which a screen for fractures of the limbs must not score. All measures in mm."""

from __future__ import annotations

import math

from phantoms.limb import Limb
from phantoms.tissue import CORTEX, MUSCLE, SPONGIOSA, flesh, long_bone, short_bone
from phantoms.tube import Profile, Tube

_LUNG = 0.006
"""Attenuation of aerated lung per mm, about a quarter of that of muscle."""


def chest(view: str) -> Limb:
    """Return a chest, posterior to anterior; ``view`` changes nothing."""
    del view
    body = ((0.0, 60), (0.12, 90), (0.24, 170), (0.45, 182), (1.0, 170))
    skin = (flesh((200, -70), (200, 470), body, fat=12.0, flatness=0.6, caps=(8, 8)),)
    bones = [*_lungs(), _heart(), _aorta(), *_spine()]
    for side in (-1, 1):
        bones += [rib for level in range(9) for rib in _ribs(side, level)]
        bones.append(_clavicle(side))
    return Limb(400, 400, skin, tuple(bones), (), "U")


def _void(
    name: str,
    start: tuple[float, float],
    end: tuple[float, float],
    left: Profile,
    right: Profile,
    caps: tuple[float, float],
    base: Profile,
) -> Tube:
    """Return air in place of muscle."""
    air = _LUNG - MUSCLE
    return Tube(
        name,
        start,
        end,
        left,
        right,
        ((0.0, 0.5),),
        air,
        ((0.0, air),),
        flatness=0.95,
        start_cap=caps[0],
        end_cap=caps[1],
        end_contour=base,
        texture=0.05,
    )


def _lungs() -> list[Tube]:
    outer = ((0.0, 30), (0.15, 44), (0.5, 66), (1.0, 78))
    inner = ((0.0, 30), (0.15, 40), (0.5, 46), (1.0, 48))
    dome = ((0.0, 8.0), (0.3, 14.0), (0.6, 4.0), (1.0, -26.0))
    fallen = tuple((1 - at, mm) for at, mm in reversed(dome))
    left_inner = ((0.0, 30), (0.15, 40), (0.5, 40), (1.0, 30))
    return [
        _void("right lung", (122, 42), (118, 290), inner, outer, (50, 10), dome),
        _void("left lung", (278, 42), (284, 300), outer, left_inner, (50, 10), fallen),
    ]


def _heart() -> Tube:
    water = MUSCLE - _LUNG
    return Tube(
        "heart", (188, 168), (246, 316), ((0.0, 40), (0.5, 56), (1.0, 44)), ((0.0, 30), (0.5, 46)),
        ((0.0, 0.5),), water, ((0.0, water),), flatness=0.6, start_cap=60, end_cap=52,
    )  # fmt: skip


def _aorta() -> Tube:
    water = MUSCLE - _LUNG
    width = ((0.0, 17.0),)
    return Tube(
        "aorta", (222, 84), (222, 250), width, width, ((0.0, 0.5),), water, ((0.0, water),),
        flatness=0.7, start_cap=16, end_cap=30,
    )  # fmt: skip


def _spine() -> list[Tube]:
    bones = []
    for level in range(16):
        y = -4 + 26.5 * level
        half = 14 + 0.45 * level
        bones.append(
            long_bone(
                f"vertebra-{level}", (200, y), (200, y + 22 + 0.1 * level), ((0.0, half),),
                cortex=1.2, flatness=0.9, caps=(2.5, 2.5),
            )
        )  # fmt: skip
        bones.append(short_bone(f"pedicles-{level}", (200, y + 2), (200, y + 20), 5.0, 2.0))
    return bones


def _ribs(side: int, level: int) -> list[Tube]:
    """Return a rib as a chain: the posterior part slopes down and out, the anterior one back in."""
    top = 30 + 27 * level
    reach = 78 + 58 * math.sin(min(level + 1.4, 6.5) / 6.5 * math.pi / 2)
    back = _rib(
        f"rib-{side}-{level}", (200 + 16 * side, top), (200 + reach * side, top + 46), 22 * side
    )
    front = _rib(
        f"front-{side}-{level}",
        (200 + reach * side, top + 48),
        (200 + (reach - 62) * side, top + 118),
        -14 * side,
    )
    return [back, front] if level < 7 else [back]


def _rib(name: str, start: tuple[float, float], end: tuple[float, float], bow: float) -> Tube:
    width = ((0.0, 5.5),)
    return Tube(
        name, start, end, width, width, ((0.0, 0.7),), 0.75 * CORTEX, ((0.0, 0.6 * SPONGIOSA),),
        flatness=0.9, bow=-bow, start_cap=4, end_cap=4, texture=0.3,
    )  # fmt: skip


def _clavicle(side: int) -> Tube:
    width = ((0.0, 9), (0.4, 6), (1.0, 8))
    start, end = (200 + 22 * side, 62), (200 + 158 * side, 34)
    return long_bone("clavicle", start, end, width, cortex=2.0, bow=9.0 * side)
