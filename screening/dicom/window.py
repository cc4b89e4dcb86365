"""Windows: the part of the values that a display shows (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """Window Center, Window Width and VOI LUT Function.

    Attributes
    ----------
    center, width
        In the units of the Modality LUT's output. The width is at least 1 for ``LINEAR`` and
        above 0 otherwise.
    function
        ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``; anything else is taken as ``LINEAR``.
    """

    center: float
    width: float
    function: str = "LINEAR"

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how bright `values` are, in [0, 1]."""
        if self.function == "SIGMOID":
            # Beyond 700 the exponential overflows; the result is 0 or 1 long before.
            exponent = np.clip(-4.0 * (values - self.center) / self.width, -700.0, 700.0)
            return np.asarray(1.0 / (1.0 + np.exp(exponent)))
        exact = self.function == "LINEAR_EXACT"
        center = self.center if exact else self.center - 0.5
        width = self.width if exact else self.width - 1.0
        if width == 0.0:
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def window(center: float | None, width: float | None, function: str) -> Window | None:
    """Return a window, or ``None`` where its values are missing or not allowed."""
    if center is None or width is None:
        return None
    exact = function in ("LINEAR_EXACT", "SIGMOID")
    allowed = width > 0.0 if exact else width >= 1.0
    return Window(center, width, function) if allowed else None
