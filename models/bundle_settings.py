"""The ``nightread`` part of a bundle's metadata, and the seal on it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.calibration import Calibration
from models.input_settings import InputSettings
from screening.domain.verdict import OperatingPoints


@dataclass(frozen=True, slots=True)
class FamiliaritySettings:
    """What ``models/familiarity.safetensors`` is, and how far an image may lie from it.

    Attributes
    ----------
    sha256
        Of that file, 64 hexadecimal digits.
    taps
        Names of the network's modules whose feature maps it measures.
    limit
        The strangeness above which an image is unlike the training images.
    kept
        The share of the validation split within the limit, in [0, 1].
    """

    sha256: str
    taps: tuple[str, ...]
    limit: float
    kept: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise ValueError("the limit of a familiarity must be a positive number")
        if not self.taps:
            raise ValueError("a familiarity needs the names of its taps")


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """The ``nightread`` part of the metadata: how the network's output becomes a verdict.

    Attributes
    ----------
    weights_sha256
        Of the weights file, 64 hexadecimal digits.
    input
        How an image is prepared.
    top_share
        Share of the map's cells whose mean is the map's score, in (0, 1].
    calibration
        From the two scores to a probability.
    operating_points
        Chosen on validation data.
    familiarity
        How an image is told that is unlike the training images. ``None`` where the bundle cannot.
    settings_sha256
        Of all the above as :func:`settings_digest` takes it. ``None`` in a bundle of before it was
        kept: nobody can tell whether its thresholds are the ones that it was published with.
    """

    weights_sha256: str
    input: InputSettings
    top_share: float
    calibration: Calibration
    operating_points: OperatingPoints
    familiarity: FamiliaritySettings | None = None
    settings_sha256: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.top_share <= 1:
            raise ValueError("top_share must lie in (0, 1]")


def settings_digest(own: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a verdict depends on, of the ``nightread`` part of metadata.

    What is said to people, the figures, limits and history, may be added later and is left out.
    """
    names = {item.name for item in dataclasses.fields(BundleSettings)} - {"settings_sha256"}
    decisive = {name: own[name] for name in sorted(names & set(own))}
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def seal(metadata: dict[str, Any]) -> None:
    """Note the digest of all that a verdict depends on: an edit is noticed when it is loaded."""
    own = json.loads(json.dumps(metadata["nightread"]))
    metadata["nightread"] = own | {"settings_sha256": settings_digest(own)}
