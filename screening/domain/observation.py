"""What was seen of an image besides its score."""

from __future__ import annotations

from dataclasses import dataclass

from screening.domain.quality import Quality


@dataclass(frozen=True, slots=True)
class KeptHeatmap:
    """A heatmap as it is stored.

    Attributes
    ----------
    picture
        PNG in 8 bits of grey, covering the radiograph from edge to edge; 255 is 1.
    outside_share
        Of its heat, outside the anatomy, in [0, 1].
    """

    picture: bytes
    outside_share: float


@dataclass(frozen=True, slots=True)
class Observation:
    """Signals of one image, recorded with its score or its reason.

    Attributes
    ----------
    quality
        Of the image.
    view_spread
        How far the probabilities of the orientations that were read lie apart, in [0, 1]; ``None``
        without a score.
    heatmap
        Of what is flagged.
    seconds
        That scoring it took, by its share of a batch; ``None`` without a score.
    """

    quality: Quality
    view_spread: float | None = None
    heatmap: KeptHeatmap | None = None
    seconds: float | None = None
