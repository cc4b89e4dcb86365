"""What an image shows of its own making: contrast, saturation, collimation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.domain.quality import Quality

BLANK_SPREAD = 0.02
"""Of brightness, between the 1st and 99th percentile: five of 256 grey levels. The flattest of 700
films of FracAtlas spans 0.30; a marker on a blank film covers less than a hundredth of it."""

SATURATED_SHARE = 0.995
"""Of pixels at an end of the scale. A finger on a large detector covers 0.6 % of it, and the rest
may be shuttered to black."""

WHITE_SHARE = 0.9
"""Of pixels at the bright end alone. In FracAtlas no film has more than 0.2 % there."""

_END = 1 / 1024
"""How near to 0 or 1 counts as at the end: one level of ten bits."""

_MOST_SAMPLES = 100_000


def measure_quality(pixels: NDArray[np.float32], longer_side: int = 0) -> Quality:
    """Measure an image on a grid of at most 100,000 of its pixels.

    Parameters
    ----------
    pixels
        As `screening.dicom.pixels.read_pixels` returns them.
    longer_side
        Of the frame as it came, where `pixels` are fewer.
    """
    step = int(np.ceil(np.sqrt(max(pixels.size / _MOST_SAMPLES, 1.0))))
    sample = pixels[::step, ::step]
    low, high = np.percentile(sample, (1, 99))
    return Quality(
        black_share=float(np.mean(sample <= _END)),
        white_share=float(np.mean(sample >= 1 - _END)),
        contrast=float(high - low),
        field_share=_extent(sample, 1) * _extent(sample, 0),
        longer_side=longer_side or max(pixels.shape),
    )


def _extent(sample: NDArray[np.float32], axis: int) -> float:
    """Return the share of rows (``axis`` 1) or columns from the first lively one to the last."""
    lively = np.flatnonzero(np.ptp(sample, axis=axis) > BLANK_SPREAD)
    return float((lively[-1] - lively[0] + 1) / sample.shape[1 - axis]) if len(lively) else 0.0


def blank_or_saturated(quality: Quality) -> str | None:
    """Say what is wrong with an image on which there is nothing to see, ``None`` if there is.

    Returns
    -------
    str or None
        A detail for `screening.domain.reason.Reason.BLANK_OR_SATURATED`.
    """
    if quality.contrast < BLANK_SPREAD:
        return f"blank: 98 % of the pixels are alike, to {quality.contrast:.3f} of the scale"
    black, white = quality.black_share, quality.white_share
    if black + white > SATURATED_SHARE or white > WHITE_SHARE:
        return f"saturated: {white:.1%} of the pixels are white and {black:.1%} black"
    return None
