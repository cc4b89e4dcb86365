"""Knee, lower leg and foot. All measures in mm."""

from __future__ import annotations

import math

from phantoms.limb import Limb
from phantoms.tissue import flesh, long_bone, short_bone
from phantoms.tube import Point, Tube

_METATARSAL = (
    (0.0, 8.5),
    (0.1, 7.5),
    (0.3, 4.2),
    (0.65, 3.7),
    (0.88, 5.8),
    (0.95, 6.4),
    (1.0, 5.6),
)
_PHALANX = ((0.0, 6.2), (0.15, 5.8), (0.5, 3.4), (0.85, 4.4), (1.0, 4.2))


def knee(view: str) -> Limb:
    """Return a right knee: AP, or lateral and a little bent."""
    return _knee_lateral() if view == "LAT" else _knee_frontal()


def _knee_frontal() -> Limb:
    femur = long_bone(
        "femur",
        (103, -180),
        (100, 150),
        ((0.0, 15), (0.66, 15.5), (0.8, 22), (0.91, 41), (0.96, 42), (1.0, 37)),
        ((0.0, 15), (0.66, 15.5), (0.8, 22), (0.91, 38), (0.96, 40), (1.0, 36)),
        cortex=6.0,
        flatness=0.7,
        caps=(8, 17),
        end_contour=((0.0, -2), (0.2, 3), (0.38, -3), (0.5, -15), (0.62, -3), (0.8, 2), (1.0, -3)),
        ends=(0.1, 0.8),
    )
    tibia = long_bone(
        "tibia",
        (100, 157),
        (104, 480),
        ((0.0, 37), (0.05, 37), (0.14, 24), (0.24, 15), (0.6, 12.5)),
        ((0.0, 37), (0.05, 36), (0.14, 23), (0.24, 15), (0.6, 12.5)),
        cortex=5.0,
        flatness=0.75,
        caps=(5, 8),
        start_contour=((0.0, 0), (0.4, -2), (0.455, 6), (0.5, 2), (0.545, 5), (0.6, -2), (1.0, 0)),
        ends=(0.12, 0.9),
    )
    fibula = long_bone(
        "fibula",
        (67, 171),
        (76, 470),
        ((0.0, 7), (0.04, 11), (0.1, 7.5), (0.2, 5.5)),
        cortex=2.6,
        caps=(9, 6),
    )
    patella = short_bone("patella", (101, 92), (101, 138), 23, 0.3)
    thigh = ((0.0, 92), (0.28, 76), (0.45, 62), (0.6, 58), (0.8, 62), (1.0, 56))
    skin = (flesh((101, -60), (98, 400), thigh, fat=8.0, flatness=0.85),)
    breakable = (("tibia", 0.12), ("femur", 0.72), ("fibula", 0.14))
    return Limb(200, 300, skin, (femur, tibia, fibula, patella), breakable, "R")


def _knee_lateral() -> Limb:
    femur = long_bone(
        "femur",
        (60, -190),
        (99, 140),
        ((0.0, 15), (0.7, 16), (0.84, 24), (0.93, 44), (0.97, 42), (1.0, 30)),
        ((0.0, 15), (0.7, 16), (0.84, 19), (0.92, 26), (1.0, 24)),
        cortex=6.0,
        flatness=1.0,
        caps=(8, 24),
        ends=(0.1, 0.8),
    )
    condyle = short_bone("condyle", (98, 104), (128, 142), 21, 0.7)
    tibia = long_bone(
        "tibia",
        (103, 155),
        (76, 480),
        ((0.0, 29), (0.05, 27), (0.14, 17), (0.3, 13)),
        ((0.0, 25), (0.05, 24), (0.13, 25), (0.2, 18), (0.34, 14)),
        cortex=5.5,
        flatness=1.2,
        caps=(5, 8),
        start_contour=((0.0, -3), (0.4, 1), (0.5, 6), (0.6, 1), (1.0, 0)),
        ends=(0.12, 0.9),
    )
    fibula = long_bone(
        "fibula", (124, 172), (98, 470), ((0.0, 7), (0.04, 11), (0.1, 7), (0.2, 5.5)), caps=(9, 6)
    )
    patella = short_bone("patella", (46, 76), (55, 120), 11.5, 1.7)
    thigh = ((0.0, 84), (0.5, 66), (0.8, 54), (1.0, 46))
    calf = ((0.0, 50), (0.3, 60), (0.6, 62), (1.0, 50))
    skin = (
        flesh((76, -70), (99, 180), thigh, fat=8.0, flatness=0.9, caps=(8, 40)),
        flesh((100, 90), (98, 400), calf, fat=7.0, flatness=0.9, caps=(40, 8)),
    )
    breakable = (("tibia", 0.12), ("femur", 0.72), ("fibula", 0.14))
    return Limb(200, 300, skin, (femur, condyle, tibia, fibula, patella), breakable, "R")


def leg(view: str) -> Limb:
    """Return a right lower leg and ankle: AP, or lateral."""
    return _leg_lateral() if view == "LAT" else _leg_frontal()


def _leg_frontal() -> Limb:
    tibia = long_bone(
        "tibia",
        (94, -90),
        (98, 272),
        ((0.0, 16), (0.5, 12.5), (0.8, 13), (0.93, 21), (1.0, 25)),
        ((0.0, 16), (0.5, 12.5), (0.8, 13), (0.93, 19), (1.0, 20)),
        cortex=5.0,
        caps=(8, 3),
        end_contour=((0.0, 10), (0.12, 14), (0.24, 9), (0.32, 0), (0.7, 0), (1.0, -2)),
        ends=(0.1, 0.9),
    )
    fibula = long_bone(
        "fibula",
        (62, -70),
        (72, 292),
        ((0.0, 6), (0.8, 5.6), (0.92, 9), (0.97, 9), (1.0, 6)),
        ((0.0, 6), (0.8, 5.6), (0.9, 8), (0.95, 9), (1.0, 6)),
        cortex=2.6,
        caps=(6, 12),
        ends=(0.1, 0.93),
    )
    talus = long_bone(
        "talus", (98, 276), (98, 304), ((0.0, 18), (0.6, 21), (1.0, 17)), cortex=1.2, caps=(4, 10)
    )
    calcaneus = long_bone(
        "calcaneus", (98, 298), (94, 356), ((0.0, 18), (1.0, 22)), cortex=1.3, caps=(6, 14)
    )
    calf = ((0.0, 56), (0.25, 54), (0.55, 38), (0.74, 31), (0.84, 37), (1.0, 43))
    skin = (flesh((90, -40), (92, 372), calf, fat=5.0, flatness=0.95, caps=(8, 18)),)
    breakable = (("fibula", 0.9), ("tibia", 0.66))
    return Limb(170, 370, skin, (talus, calcaneus, tibia, fibula), breakable, "R")


def _leg_lateral() -> Limb:
    tibia = long_bone(
        "tibia",
        (84, -90),
        (92, 272),
        ((0.0, 17), (0.5, 13), (0.8, 12), (0.94, 19), (1.0, 21)),
        ((0.0, 17), (0.5, 13), (0.8, 12), (0.94, 18), (1.0, 19)),
        cortex=5.0,
        caps=(8, 3),
        end_contour=((0.0, 5), (0.5, -5), (1.0, 4)),
        ends=(0.1, 0.9),
    )
    fibula = long_bone(
        "fibula",
        (110, -70),
        (98, 292),
        ((0.0, 6), (0.8, 5.6), (0.93, 9), (1.0, 6)),
        cortex=2.6,
        caps=(6, 12),
        ends=(0.1, 0.93),
    )
    foot = (
        long_bone("talus", (112, 290), (52, 296), ((0.0, 15), (0.4, 22), (0.75, 12), (1.0, 15))),
        long_bone(
            "calcaneus",
            (158, 320),
            (64, 324),
            ((0.0, 24), (0.25, 19), (0.6, 17), (1.0, 14)),
            cortex=1.6,
            caps=(16, 6),
        ),
        short_bone("navicular", (34, 297), (52, 304), 15),
        short_bone("cuboid", (34, 318), (62, 325), 13),
        short_bone("cuneiform", (8, 304), (33, 310), 13),
        long_bone("metatarsal", (8, 312), (-60, 340), _METATARSAL, cortex=2),
    )
    calf = ((0.0, 58), (0.25, 60), (0.55, 42), (0.8, 32), (1.0, 34))
    skin = (
        flesh((102, -40), (104, 330), calf, fat=5.0, flatness=0.9, caps=(8, 12)),
        flesh((172, 318), (-60, 330), ((0.0, 34), (0.4, 40), (1.0, 26)), fat=6.0, caps=(20, 8)),
    )
    return Limb(170, 370, skin, (*foot, tibia, fibula), (("fibula", 0.9), ("tibia", 0.66)), "R")


def infant_leg(view: str) -> Limb:
    """Return an infant's right leg: slim shafts, ends still cartilage, no joints to be seen."""
    apart = 6.0 if view == "LAT" else 15.0
    flare = ((0.0, 9), (0.1, 6.5), (0.3, 4.8), (0.7, 4.6), (0.92, 6.5), (1.0, 8))
    femur = ((0.0, 7), (0.7, 6.5), (0.93, 10), (1.0, 11))
    bones = (
        long_bone("femur", (56, -30), (56, 52), femur, cortex=2.2, caps=(3, 2)),
        short_bone("distal femoral centre", (48, 59), (64, 62), 6),
        short_bone("proximal tibial centre", (50, 72), (62, 72), 4.5),
        long_bone("tibia", (57, 80), (58, 172), flare, cortex=2.2, caps=(2, 2)),
        long_bone("fibula", (57 - apart, 84), (58 - apart, 170), ((0.0, 4), (0.5, 2.6), (1.0, 4))),
        short_bone("talar centre", (52, 183), (62, 184), 4.5),
        short_bone("calcaneal centre", (50, 193), (64, 194), 5),
    )
    calf = ((0.0, 40), (0.3, 30), (0.5, 33), (0.8, 22), (1.0, 24))
    skin = (flesh((54, -30), (55, 206), calf, fat=6.0, flatness=0.95, caps=(8, 14)),)
    return Limb(110, 210, skin, bones, (("tibia", 0.6),), "R")


def _toe(
    name: str, base: Point, degrees: float, lengths: tuple[float, ...], girth: float
) -> list[Tube]:
    """Return a metatarsal and its phalanges from ``base``; 0 degrees is straight up."""
    bend = math.radians(degrees)
    bones, here = [], base
    for index, length in enumerate(lengths):
        there = (here[0] + length * math.sin(bend), here[1] - length * math.cos(bend))
        profile = _PHALANX if index else _METATARSAL
        half = tuple((at, girth * mm) for at, mm in profile)
        bones.append(
            long_bone(
                f"{name}-{index}",
                here,
                there,
                half,
                cortex=1.9 * girth if index == 0 else 1.2,
                caps=(min(2.5, length / 4), min(5.0, length / 3)),
                ends=(0.2, 0.8),
            )
        )
        here = (there[0] + 1.5 * math.sin(bend), there[1] - 1.5 * math.cos(bend))
    return bones


def foot(view: str) -> Limb:
    """Return a right foot: dorsoplantar, or oblique with its rays closer."""
    close = 1.0 if view in ("AP", "DP", "PA") else 0.55
    rays = [
        _toe("first", (48, 166), -6 * close, (64, 33, 25), 1.65),
        _toe("second", (65, 160), -2 * close, (73, 29, 13, 9), 0.98),
        _toe("third", (77, 163), 3 * close, (70, 26, 11, 8), 0.95),
        _toe("fourth", (88, 168), 8 * close, (68, 24, 9, 8), 0.95),
        _toe("fifth", (99, 176), 13 * close, (66, 21, 8, 7), 0.98),
    ]
    tarsals = (
        short_bone("medial cuneiform", (49, 168), (54, 196), 11.5, 1.3),
        short_bone("middle cuneiform", (65, 163), (66, 182), 8, 1.5),
        short_bone("lateral cuneiform", (77, 166), (76, 191), 8.5, 1.5),
        short_bone("cuboid", (94, 174), (88, 208), 13, 1.2),
        short_bone("navicular", (45, 200), (78, 193), 10, 1.6),
        long_bone("talus", (64, 205), (70, 262), ((0.0, 15), (0.5, 18), (1.0, 15)), cortex=1.4),
        long_bone("calcaneus", (86, 208), (78, 292), ((0.0, 13), (0.6, 18), (1.0, 20)), cortex=1.6),
    )
    sole = ((0.0, 33), (0.3, 34), (0.65, 42), (0.9, 46), (1.0, 43))
    skin = [flesh((76, 300), (74, 88), sole, fat=5.0, flatness=0.6, caps=(22, 46))]
    for ray, half in zip(rays, (16, 10, 9.5, 9, 9), strict=True):
        tip, (along, down) = ray[-1].end, ray[-1].direction
        over = (tip[0] + 5 * along, tip[1] + 5 * down)
        root = ((ray[0].start[0] + ray[0].end[0]) / 2, (ray[0].start[1] + ray[0].end[1]) / 2)
        skin.append(flesh(root, over, ((0.0, half),), fat=2.0, caps=(3.0, 9.0)))
    bones = (*tarsals, *(bone for ray in rays for bone in ray))
    breakable = (("fifth-0", 0.14), ("second-0", 0.6), ("third-0", 0.6))
    return Limb(150, 300, tuple(skin), bones, breakable, "R")
