"""The stored words of a frame, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint8] | NDArray[np.uint16]
"""Read as unsigned, shape (rows, columns)."""
