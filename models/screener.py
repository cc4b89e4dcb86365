"""A classifier at work: fast where it may be, exact where it matters, explained where it is asked.

A quick pass in bfloat16 moves a logit by some hundredths. Only close to an operating point could
that change a verdict, so what comes out there is read again in float32: the verdicts are those of
the exact way, at the cost of the quick one, as long as the two differ by less than the margin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import structlog
import torch

from models.classifier import Classifier, Evidence
from models.compiled import compile_blocks
from models.explanation.cam import CamTap, cam_weights
from models.explanation.grad_cam import attend
from models.explanation.heatmap import Heatmap
from models.networks.fusion import join_clamps
from models.precision import has_bfloat16, keep_first_blocks
from models.transforms import PreparedImage
from screening.domain.precision import Precision
from screening.domain.prediction import Prediction
from screening.domain.verdict import FLAGGED, OperatingPoints
from screening.errors import BundleError

log = structlog.get_logger(__name__)

CLOSE_QUICK = 0.25
"""Within this of an operating point, in logits, a quick pass is repeated in float32. On 60 films
of FracAtlas the two ways differed by at most 0.08."""

CLOSE_REDUCED = 0.5
"""The same for an image that was decoded at a fraction of its resolution. On 36 films of FracAtlas
the two ways differed by at most 0.37."""

_CLOSE_STRANGENESS = 1.0
"""Within this of the limit of familiarity. Differences of up to 0.4 were seen."""

_HEAT_SIDE = 128
"""Of the square on which heat is spread, in pixels: cells are four times as large."""

_MOST_TOGETHER = 4
"""Images in one pass: more cost memory and gain nothing measurable at 512 pixels."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A prediction, and what a reader may want to know of how it came about.

    Attributes
    ----------
    prediction
        What is recorded as the score.
    view_spread
        How far the probabilities of the orientations that were read lie apart, in [0, 1]; 0 where
        only one was.
    heatmap
        Of what is flagged; ``None`` for what is clear, or where the network gives none.
    """

    prediction: Prediction
    view_spread: float = 0.0
    heatmap: Heatmap | None = None


class Screener:
    """Scores the worker's images.

    Parameters
    ----------
    classifier
        Whose network is taken over: its first blocks are wrapped for mixed precision.
    precision
        How it computes; by default in bfloat16 where the machine has instructions for it.
    compiled
        Whether to have its blocks compiled now, which takes some seconds.

    Attributes
    ----------
    classifier : Classifier
        As given: its own ``score`` is the exact way.
    quick : bool
        Whether a first pass is in bfloat16.
    compiled : bool
        Whether full parts run compiled.
    """

    def __init__(
        self,
        classifier: Classifier,
        precision: Precision = Precision.AUTO,
        *,
        compiled: bool = False,
    ) -> None:
        self.classifier = classifier
        self._device = next(classifier.network.parameters()).device
        self.quick: bool = precision is Precision.BFLOAT16 or (
            precision is Precision.AUTO and has_bfloat16(self._device)
        )
        self._most_together = _MOST_TOGETHER
        has_map = hasattr(classifier.network, "cell_head")
        self._weights = None if has_map else cam_weights(classifier.network)
        if self.quick:
            keep_first_blocks(classifier.network)
            if self._device.type == "cpu":
                join_clamps(classifier.network)
        self.compiled: bool = compiled and compile_blocks(
            classifier.network, self._try, _MOST_TOGETHER, autocast=self.quick
        )

    def score(
        self, images: Sequence[PreparedImage], points: OperatingPoints | None = None
    ) -> list[Opinion]:
        """Score radiographs, in order, and explain those that are not clear.

        What an image is given does not depend on its neighbours, beyond 0.02 in probability where
        the pass is quick and 1e-4 where it is not; the verdict does not depend on them at all.

        Parameters
        ----------
        images
            As the classifier prepares them.
        points
            By which they are judged; by default the classifier's own.
        """
        points = points or self.classifier.points
        found = self._pass(images, quick=self.quick)
        if self.quick:
            close = [
                place
                for place, evidence in enumerate(found)
                if self.is_close(evidence.prediction, CLOSE_QUICK, points)
            ]
            exact = self._pass([images[place] for place in close], quick=False)
            for place, evidence in zip(close, exact, strict=True):
                found[place] = evidence
        return [self._opinion(*each, points) for each in zip(images, found, strict=True)]

    def is_close(
        self,
        prediction: Prediction,
        margin: float = CLOSE_REDUCED,
        points: OperatingPoints | None = None,
    ) -> bool:
        """Say whether a small error could change what is made of a prediction.

        Parameters
        ----------
        prediction
            Of a pass that is not exact.
        margin
            How far from an operating point counts as close, in logits.
        points
            By which it is judged; by default the classifier's own.
        """
        points = points or self.classifier.points
        logit = _logit(prediction.probability)
        near = any(
            abs(logit - _logit(point)) < margin
            for point in (points.high_sensitivity, points.high_specificity)
        )
        known = prediction.familiarity
        strange = known is not None and not (
            abs(known.strangeness - known.limit) >= _CLOSE_STRANGENESS
        )
        return near or strange

    def _try(self) -> None:
        """Make a first pass of a full part, of black images."""
        side = self.classifier.input.size
        black = self.classifier.prepare(np.zeros((side, side), np.float32))
        self._read([black] * _MOST_TOGETHER, quick=self.quick)

    def _pass(self, images: Sequence[PreparedImage], *, quick: bool) -> list[Evidence]:
        """Read images in parts that fit into memory; a part that does not is halved."""
        found: list[Evidence] = []
        while len(found) < len(images):
            part = images[len(found) : len(found) + self._most_together]
            try:
                found += self._read(part, quick=quick)
            except RuntimeError as error:
                if not _is_out_of_memory(error) or len(part) == 1:
                    raise
                self._most_together = max(1, len(part) // 2)
                log.warning("out_of_memory", images=len(part), next=self._most_together)
                torch.cuda.empty_cache()
        return found

    def _read(self, images: Sequence[PreparedImage], *, quick: bool) -> list[Evidence]:
        with ExitStack() as stack:
            tap = None
            if self._weights is not None:
                tap = stack.enter_context(CamTap(self.classifier.network, self._weights))
            if quick:
                stack.enter_context(torch.autocast(self._device.type, torch.bfloat16))
            found = self.classifier.examine(images)
        if tap is None:
            return found
        return [each.with_heat(heat) for each, heat in zip(found, tap.maps(), strict=True)]

    def _opinion(
        self, image: PreparedImage, evidence: Evidence, points: OperatingPoints
    ) -> Opinion:
        prediction = evidence.prediction
        verdict = points.verdict(prediction.probability)
        heatmap = self._heatmap(image, evidence) if verdict in FLAGGED else None
        return Opinion(prediction, evidence.view_spread, heatmap)

    def _heatmap(self, image: PreparedImage, evidence: Evidence) -> Heatmap | None:
        """Take the network's own map, which outlines taught it; else a class activation map."""
        if evidence.cells is not None:
            return Heatmap.from_square(evidence.cells.sigmoid(), image, False, _HEAT_SIDE)
        if evidence.heat is not None:
            return Heatmap.from_square(evidence.heat, image, True, _HEAT_SIDE)
        try:
            batch = image.tensor[None].to(self._device)
            found = attend(self.classifier.network, batch).grad_cam()
        except BundleError:
            return None
        return Heatmap.from_square(found[0], image, True, _HEAT_SIDE)


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _logit(probability: float) -> float:
    if probability <= 0.0 or probability >= 1.0:
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1.0 - probability))
