"""A tube of tissue: a shell around a core, in the plane of the detector.

Long bones, phalanges, carpals, fingers and whole limbs are all tubes: a cross-section that is an
ellipse, a width that changes along a centreline, and two rounded ends. The path of a ray through
such a tube has a closed form, so a radiograph needs no voxels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Point = tuple[float, float]
Profile = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The face of a fragment: which part of a tube is kept, along a jagged line.

    Attributes
    ----------
    at
        Distance of the line from the tube's start, in mm, on its centreline.
    slope
        How far the line runs along the tube per mm across it; 0 is a transverse break.
    teeth
        Departures from the straight line in mm, evenly spaced across the tube's width.
    keeps_start
        Whether the fragment on the side of the tube's start is kept.
    """

    at: float
    slope: float
    teeth: tuple[float, ...]
    keeps_start: bool


@dataclass(frozen=True, slots=True)
class Tube:
    """A shell around a core along a centreline.

    Lengths are in mm and attenuation is per mm. A profile is a tuple of (fraction of the length,
    value). ``left`` and ``right`` are those of someone who walks from the start to the end, with
    y pointing down: a bone drawn downwards has its right side on the left of the picture.

    Attributes
    ----------
    start, end
        The two ends of the axis, as (x, y).
    left, right
        Profiles of the half width.
    shell
        Profile of the shell's thickness.
    shell_mu
        Attenuation of the shell, over that of what it lies in.
    core_mu
        Profile of the same for the core.
    flatness
        Half depth along the beam over half width.
    bow
        How far the middle of the centreline leaves the axis, to the right.
    start_cap, end_cap
        Length over which each end is rounded off.
    start_contour, end_contour
        Profiles over the width, from 0 (left) to 1 (right), of how far each end reaches beyond its
        point: the shape of a joint surface.
    texture
        How much the core varies along its trabeculae, as a fraction of ``core_mu``.
    cut
        The fragment that is kept, if the tube is broken.
    """

    name: str
    start: Point
    end: Point
    left: Profile
    right: Profile
    shell: Profile
    shell_mu: float
    core_mu: Profile
    flatness: float = 0.9
    bow: float = 0.0
    start_cap: float = 6.0
    end_cap: float = 6.0
    start_contour: Profile = ((0.0, 0.0),)
    end_contour: Profile = ((0.0, 0.0),)
    texture: float = 0.0
    cut: Cut | None = None

    @property
    def length(self) -> float:
        """Length of the axis in mm."""
        return math.dist(self.start, self.end)

    @property
    def direction(self) -> Point:
        """Unit vector from the start to the end."""
        length = self.length
        return ((self.end[0] - self.start[0]) / length, (self.end[1] - self.start[1]) / length)

    @property
    def reach(self) -> float:
        """The farthest that the tube can lie from its axis, in mm."""
        widest = max(width for _, width in self.left + self.right)
        contours = max(abs(mm) for _, mm in self.start_contour + self.end_contour)
        return widest + abs(self.bow) + contours + 1.0

    def local(self, point: Point) -> Point:
        """Return ``point`` as (distance along the axis, distance to its right), in mm."""
        along, down = self.direction
        x, y = point[0] - self.start[0], point[1] - self.start[1]
        return (x * along + y * down, y * along - x * down)

    def moved(self, pivot: Point, degrees: float, shift: Point) -> Tube:
        """Return the tube turned about ``pivot`` and then shifted, in mm."""
        return replace(
            self,
            start=_turned(self.start, pivot, degrees, shift),
            end=_turned(self.end, pivot, degrees, shift),
        )


def _turned(point: Point, pivot: Point, degrees: float, shift: Point) -> Point:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = point[0] - pivot[0], point[1] - pivot[1]
    return (
        pivot[0] + cosine * x - sine * y + shift[0],
        pivot[1] + sine * x + cosine * y + shift[1],
    )
