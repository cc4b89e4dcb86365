"""What of an image's making gives its score more or less weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """Signals of one image as it is displayed.

    Attributes
    ----------
    black_share, white_share
        Of the pixels, at the dark and at the bright end of the scale, in [0, 1].
    contrast
        Between the 1st and the 99th percentile of brightness, in [0, 1].
    field_share
        Of the frame, within the outermost rows and columns that are not uniform: what collimation
        and borders leave, in [0, 1].
    longer_side
        Of the frame as it came, in pixels.
    """

    black_share: float
    white_share: float
    contrast: float
    field_share: float
    longer_side: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that is known of how far a score deserves trust.

    Attributes
    ----------
    quality
        Of the image.
    view_spread
        How far the probabilities of the orientations that were read lie apart, in [0, 1].
    outside_share
        Of the heatmap's heat, outside the anatomy, in [0, 1]; ``None`` without a heatmap.
    strangeness, strangeness_limit
        Of the image to the classifier, in log odds; ``None`` where it cannot tell.
    """

    quality: Quality
    view_spread: float = 0.0
    outside_share: float | None = None
    strangeness: float | None = None
    strangeness_limit: float | None = None

    def doubts(self) -> tuple[str, ...]:
        """Return why the score deserves less trust, a short sentence each; mostly none."""
        return tuple(self._doubts())

    def _doubts(self) -> Iterator[str]:
        quality = self.quality
        if quality.white_share > MOST_WHITE:
            yield f"{quality.white_share:.0%} of its pixels are saturated white"
        if quality.contrast < LEAST_CONTRAST:
            yield f"low contrast: its brightness spans {quality.contrast:.0%} of the scale"
        if quality.field_share < LEAST_FIELD:
            yield f"the field fills {quality.field_share:.0%} of the frame"
        if quality.longer_side < LEAST_SIDE:
            yield f"small: {quality.longer_side} pixels on its longer side"
        if self.view_spread > MOST_VIEW_SPREAD:
            yield f"its mirror image scores otherwise, by {self.view_spread:.2f}"
        if self.outside_share is not None and self.outside_share > MOST_OUTSIDE:
            yield f"{self.outside_share:.0%} of the heat lies outside the anatomy"
        if self._is_nearly_unlike():
            yield "nearly unlike the training images"

    def _is_nearly_unlike(self) -> bool:
        if self.strangeness is None or self.strangeness_limit is None:
            return False
        return not self.strangeness < self.strangeness_limit - NEARLY_UNLIKE


# Seen on 160 films of FracAtlas's validation split, in brackets: what lies beyond is worth a word.
MOST_WHITE = 0.05  # (at most 0.001)
LEAST_CONTRAST = 0.35  # (at least 0.39)
LEAST_FIELD = 0.35  # (at least 0.67: its films are cropped)
LEAST_SIDE = 300  # (at least 454)
MOST_VIEW_SPREAD = 0.25  # (0.25 for one film in a hundred)
MOST_OUTSIDE = 0.5
NEARLY_UNLIKE = 1.0  # (at least 2.4 below the limit)
