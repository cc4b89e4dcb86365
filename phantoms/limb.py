"""A limb: its flesh and its bones in the field of one view, and how it may be posed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from phantoms.tube import Tube


@dataclass(frozen=True, slots=True)
class Limb:
    """What lies in the beam for one view.

    Attributes
    ----------
    width, height
        Size of the field in mm.
    flesh, bones
        Tubes in the field's coordinates, (0, 0) at its top left corner.
    breakable
        Names of the bones that a phantom fracture may break, each with where along it, as a
        fraction of its length.
    side
        Laterality as drawn, ``L`` or ``R``; the other side is its mirror image.
    """

    width: float
    height: float
    flesh: tuple[Tube, ...]
    bones: tuple[Tube, ...]
    breakable: tuple[tuple[str, float], ...]
    side: str

    def posed(self, rng: np.random.Generator) -> Limb:
        """Return the limb as a hurried radiographer places it: a little askew and off centre."""
        degrees = float(rng.uniform(-4.0, 4.0))
        x, y = (float(part) for part in rng.uniform(-0.03, 0.03, 2))
        shift = (x * self.width, y * self.height)
        pivot = (self.width / 2, self.height / 2)
        return replace(
            self,
            flesh=tuple(tube.moved(pivot, degrees, shift) for tube in self.flesh),
            bones=tuple(tube.moved(pivot, degrees, shift) for tube in self.bones),
        )
