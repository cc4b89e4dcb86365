"""Hand, forearm and humerus. All measures in mm."""

from __future__ import annotations

import math

from phantoms.limb import Limb
from phantoms.tissue import flesh, long_bone, short_bone
from phantoms.tube import Point, Profile, Tube

_METACARPAL = (
    (0.0, 7.2),
    (0.12, 6.6),
    (0.3, 4.4),
    (0.6, 3.9),
    (0.84, 6.0),
    (0.93, 7.2),
    (1.0, 6.4),
)
_PROXIMAL = ((0.0, 7.0), (0.12, 6.8), (0.4, 4.4), (0.75, 4.0), (0.9, 5.6), (1.0, 5.4))
_MIDDLE = ((0.0, 6.2), (0.14, 5.8), (0.5, 3.5), (0.8, 3.8), (0.92, 4.9), (1.0, 4.6))
_DISTAL = ((0.0, 5.2), (0.16, 4.8), (0.5, 2.4), (0.8, 2.8), (0.92, 4.0), (1.0, 3.4))


def _ray(
    name: str, base: Point, degrees: float, lengths: tuple[float, ...], girth: float
) -> list[Tube]:
    """Return a metacarpal and its phalanges, end to end from ``base``; 0 degrees is straight up."""
    widths = (_METACARPAL, _PROXIMAL, _MIDDLE, _DISTAL)
    if len(lengths) == 3:
        widths = (_METACARPAL, _PROXIMAL, _DISTAL, _DISTAL)
    bones, here = [], base
    for index, (length, width) in enumerate(zip(lengths, widths, strict=False)):
        bend = math.radians(degrees - 0.18 * degrees * index)
        there = (here[0] + length * math.sin(bend), here[1] - length * math.cos(bend))
        half = tuple((at, girth * mm) for at, mm in width)
        dent = ((0.0, 0.0), (0.5, -1.0), (1.0, 0.0))
        bones.append(
            long_bone(
                f"{name}-{index}",
                here,
                there,
                half,
                cortex=1.9 * girth if index < 2 else 1.3,
                caps=(2.2, 5.0 if index < 3 else 3.5),
                start_contour=dent if index else ((0.0, 0.0),),
                end_contour=((0.0, 0.0),),
                ends=(0.2, 0.78),
            )
        )
        here = (there[0] + 0.9 * math.sin(bend), there[1] - 0.9 * math.cos(bend))
    return bones


def _finger(ray: list[Tube], half: float) -> Tube:
    """Return the flesh around a ray's phalanges."""
    tip = ray[-1]
    x, y = tip.end
    along, down = tip.direction
    taper = ((0.0, half * 1.1), (0.55, half), (0.9, 0.86 * half), (1.0, 0.8 * half))
    end = (x + 5 * along, y + 5 * down)
    x0, y0 = ray[0].start
    middle = ((x0 + ray[0].end[0]) / 2, (y0 + ray[0].end[1]) / 2)
    return flesh(middle, end, taper, fat=1.6, flatness=0.85, caps=(3.0, 9.0))


def _wrist(x: float, y: float) -> list[Tube]:
    """Return the eight carpal bones around (x, y), the capitate's head, thumb to the right."""
    places = (
        ("trapezium", (13, -8), (18, 6), 7.8),
        ("trapezoid", (8.5, -13), (10, -1), 6.4),
        ("capitate", (-0.5, -16), (-1, 8), 6.8),
        ("hamate", (-11, -14), (-9, 5), 8.3),
        ("scaphoid", (16, 4), (5, 17), 7.4),
        ("lunate", (-4, 7), (-3, 19), 8.4),
        ("triquetrum", (-19, 3), (-11, 13), 6.2),
        ("pisiform", (-19, 8), (-15, 16), 4.6),
    )
    return [
        short_bone(name, (x + a[0], y + a[1]), (x + b[0], y + b[1]), half, 1.0)
        for name, a, b, half in places
    ]


def hand(view: str) -> Limb:
    """Return a left hand: PA, or oblique with its rays closer and overlapping."""
    narrow = 1.0 if view in ("PA", "AP") else 0.62
    rays = [
        _ray("thumb", (113, 186), 38 * narrow + 6, (43, 30, 21), 1.1),
        _ray("index", (105, 172), 12 * narrow, (66, 41, 23, 16), 1.05),
        _ray("middle", (96, 169), 1.5, (64, 45, 27, 17), 1.05),
        _ray("ring", (88, 172), -8 * narrow, (57, 41, 25, 17), 0.98),
        _ray("little", (81, 177), -18 * narrow, (52, 32, 18, 15), 0.92),
    ]
    palm = ((0.0, 31), (0.3, 28), (0.45, 33), (0.7, 43), (1.0, 43))
    skin = [flesh((96, 310), (94, 92), palm, fat=2.5, flatness=0.42, caps=(2, 58))]
    skin += [_finger(ray, half) for ray, half in zip(rays, (12, 10.5, 10.5, 10, 9), strict=True)]
    thenar = ((0.0, 11), (0.5, 17), (1.0, 13))
    skin.append(flesh((108, 200), rays[0][0].end, thenar, fat=2.0, flatness=0.8))
    bones = [bone for ray in rays for bone in ray] + _wrist(96, 189)
    radius = ((0.0, 7.5), (0.5, 8.0), (0.8, 11.0), (0.95, 15.0), (1.0, 14.0))
    styloid = ((0.0, -3.0), (0.4, -2.0), (0.75, 2.0), (0.92, 6.5), (1.0, 4.0))
    ulna = ((0.0, 6.0), (0.7, 5.8), (0.93, 8.0), (1.0, 7.4))
    bones.append(
        long_bone("radius", (101, 340), (103, 208), radius, end_contour=styloid, caps=(4, 4))
    )
    bones.append(
        long_bone(
            "ulna", (80, 340), (76, 211), ulna, end_contour=((0.0, 4.0), (0.25, 3.0), (0.5, 0.0))
        )
    )
    breakable = (("little-0", 0.76), ("ring-0", 0.72), ("index-1", 0.45), ("radius", 0.84))
    return Limb(190, 260, tuple(skin), tuple(bones), breakable, "L")


def forearm(view: str) -> Limb:
    """Return a right forearm with elbow and wrist: AP, or lateral with the elbow bent."""
    return _forearm_lateral() if view == "LAT" else _forearm_frontal()


_RADIUS_LATERAL = ((0.0, 11), (0.05, 11), (0.1, 7), (0.5, 7.6), (0.85, 8.5), (0.96, 16), (1.0, 15))
_RADIUS_MEDIAL = (
    (0.0, 11),
    (0.05, 10.5),
    (0.1, 7),
    (0.16, 9.5),
    (0.25, 7.5),
    (0.85, 8),
    (0.97, 14),
)


def _forearm_frontal() -> Limb:
    radius = long_bone(
        "radius",
        (84, 62),
        (83, 300),
        _RADIUS_MEDIAL,
        _RADIUS_LATERAL,
        cortex=3.0,
        bow=5.0,
        caps=(3.5, 4.0),
        start_contour=((0.0, 0.0), (0.5, -2.0), (1.0, 0.0)),
        end_contour=((0.0, -3.0), (0.5, -1.0), (0.8, 4.0), (0.95, 9.0), (1.0, 7.0)),
        ends=(0.1, 0.9),
    )
    ulna = long_bone(
        "ulna",
        (107, 36),
        (108, 297),
        ((0.0, 11), (0.1, 13), (0.2, 9), (0.5, 7.0), (0.85, 5.6), (0.96, 8.0), (1.0, 7.5)),
        ((0.0, 11), (0.12, 12), (0.2, 8), (0.5, 7.4), (0.85, 5.6), (0.96, 8.0), (1.0, 7.5)),
        cortex=3.0,
        bow=2.5,
        caps=(9, 4),
        end_contour=((0.0, 6.0), (0.2, 5.0), (0.4, 0.0), (1.0, 0.0)),
        ends=(0.16, 0.93),
    )
    humerus = long_bone(
        "humerus",
        (97, -160),
        (97, 58),
        ((0.0, 12), (0.7, 12), (0.85, 24), (0.93, 33), (0.97, 27), (1.0, 22)),
        ((0.0, 12), (0.7, 12), (0.87, 22), (0.93, 27), (0.97, 24), (1.0, 20)),
        cortex=4.0,
        flatness=0.45,
        caps=(6, 12),
        end_contour=((0.0, 2.0), (0.25, 5.0), (0.45, -2.0), (0.75, 2.0), (1.0, -2.0)),
    )
    carpals = [tube.moved((96, 191), 180.0, (-1, 128)) for tube in _wrist(96, 191)]
    hands = [
        long_bone(f"metacarpal-{i}", (90 + x, 338), (90 + 2.3 * x, 410), _METACARPAL, cortex=2)
        for i, x in enumerate((-20, -9, 1, 11, 20))
    ]
    arm = ((0.0, 46), (0.14, 47), (0.3, 52), (0.6, 38), (0.85, 29), (1.0, 36))
    skin = (flesh((96, -30), (93, 390), arm, fat=5.0, flatness=0.75),)
    bones = (humerus, radius, ulna, *carpals, *hands)
    breakable = (("radius", 0.62), ("ulna", 0.6))
    return Limb(180, 350, skin, bones, breakable, "R")


def _forearm_lateral() -> Limb:
    radius = long_bone(
        "radius",
        (92, 70),
        (90, 302),
        ((0.0, 11), (0.05, 10.5), (0.1, 6.5), (0.5, 7), (0.85, 8), (0.96, 11), (1.0, 10)),
        cortex=3.0,
        bow=-4.0,
        caps=(3.5, 4.0),
        end_contour=((0.0, 3.0), (0.5, -1.0), (1.0, 4.0)),
        ends=(0.1, 0.9),
    )
    ulna = long_bone(
        "ulna",
        (78, 26),
        (80, 296),
        (
            (0.0, 11),
            (0.05, 10),
            (0.11, 5),
            (0.17, 15),
            (0.24, 10),
            (0.5, 7.5),
            (0.9, 5.4),
            (1.0, 7),
        ),
        ((0.0, 11), (0.15, 13), (0.25, 10), (0.5, 7.5), (0.9, 5.4), (0.97, 7), (1.0, 7)),
        cortex=3.0,
        bow=3.0,
        caps=(8, 4),
        ends=(0.16, 0.93),
    )
    humerus = long_bone(
        "humerus",
        (330, 26),
        (90, 46),
        ((0.0, 11), (0.6, 11), (0.85, 11), (0.94, 17), (1.0, 15)),
        cortex=4.0,
        flatness=1.2,
        caps=(6, 14),
    )
    carpals = [
        tube.moved((96, 191), 180.0, (-9, 128))
        for tube in (
            short_bone("lunate", (94, 198), (95, 210), 8.5),
            short_bone("capitate", (94, 174), (95, 198), 8.0),
            short_bone("scaphoid", (86, 190), (92, 208), 7.0),
            short_bone("triquetrum", (98, 186), (102, 202), 7.0),
        )
    ]
    hands = [
        long_bone(f"metacarpal-{i}", (86 + x, 338), (84 + 1.6 * x, 408), _METACARPAL, cortex=2)
        for i, x in enumerate((-7, -3, 1, 6, 12))
    ]
    lower = ((0.0, 36), (0.12, 40), (0.35, 42), (0.7, 31), (0.9, 25), (1.0, 24))
    upper = ((0.0, 50), (0.7, 44), (1.0, 36))
    skin = (
        flesh((88, 14), (87, 400), lower, fat=5.0, flatness=1.0, caps=(24, 6)),
        flesh((330, 36), (70, 48), upper, fat=5.0, flatness=1.0, caps=(6, 26)),
    )
    bones = (humerus, radius, ulna, *carpals, *hands)
    return Limb(180, 350, skin, bones, (("radius", 0.62), ("ulna", 0.6)), "R")


def humerus(view: str) -> Limb:
    """Return a right upper arm with shoulder and elbow: AP, or lateral."""
    lateral = view == "LAT"
    wide = 0.75 if lateral else 1.0
    medial: Profile = ((0.0, 15), (0.05, 26), (0.11, 24), (0.2, 13), (0.5, 11.5), (0.85, 12))
    medial += ((0.95, 31 * wide), (1.0, 24 * wide))
    outer: Profile = ((0.0, 13), (0.05, 22), (0.12, 20), (0.22, 13), (0.5, 12.5), (0.85, 12))
    outer += ((0.95, 25 * wide), (1.0, 20 * wide))
    bone = long_bone(
        "humerus",
        (82, 40),
        (92, 338),
        medial,
        outer,
        cortex=4.5,
        flatness=0.85,
        caps=(15, 9),
        start_contour=((0.0, 6.0), (0.45, 2.0), (0.7, -3.0), (1.0, -6.0)),
        end_contour=((0.0, 2.0), (0.25, 5.0), (0.45, -2.0), (0.75, 3.0), (1.0, -2.0)),
    )
    radius = long_bone("radius", (78, 346), (76, 560), _RADIUS_MEDIAL, _RADIUS_LATERAL)
    ulna = long_bone("ulna", (103, 322), (108, 560), ((0.0, 11), (0.12, 12), (0.3, 8)), caps=(9, 4))
    glenoid = long_bone(
        "scapula",
        (128, 46),
        (190, 130),
        ((0.0, 17), (0.3, 10), (1.0, 24)),
        cortex=1.6,
        flatness=0.3,
    )
    clavicle = long_bone(
        "clavicle", (84, 18), (240, 14), ((0.0, 9), (0.4, 6.5)), cortex=2.0, bow=-7
    )
    arm = ((0.0, 44), (0.12, 56), (0.4, 48), (0.7, 42), (0.9, 46), (1.0, 44))
    skin = (
        flesh((84, 2), (92, 420), arm, fat=6.0, flatness=0.8, caps=(34, 6)),
        flesh((250, -40), (250, 420), ((0.0, 120), (0.4, 84), (1.0, 92)), fat=9.0, flatness=0.9),
    )
    bones = (glenoid, clavicle, bone, radius, ulna)
    return Limb(190, 370, skin, bones, (("humerus", 0.48),), "R")
