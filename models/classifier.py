"""A trained network at work: radiographs in, calibrated predictions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from models.bundle import WEIGHTS, Bundle, read_bundle
from models.familiarity import FamiliarityMeter
from models.input_settings import InputSettings
from models.networks.fusion import fold_batch_norms
from models.networks.registry import build_network
from models.reading import Reading, read_batch
from models.transforms import Preparation, PreparedImage
from screening.domain.prediction import Familiarity, ModelIdentity, Prediction
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError

__all__ = ["Classifier", "Evidence", "PreparedImage", "load_classifier"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A prediction and what it rests on.

    Attributes
    ----------
    prediction
        What the classifier says.
    view_spread
        How far the probabilities of the orientations that were read lie apart, in [0, 1].
    cells
        The network's map of logits over its square (h, w), ``None`` where it has none.
    heat
        A class activation map over its square (h, w), at least 0, where somebody made one.
    """

    prediction: Prediction
    view_spread: float
    cells: Tensor | None
    heat: Tensor | None = None

    def with_heat(self, heat: Tensor) -> Evidence:
        """Return the same with a class activation map."""
        return replace(self, heat=heat)


class Classifier:
    """Scores radiographs for a fracture.

    Parameters
    ----------
    bundle
        Says how an image is prepared and how a score becomes a probability.
    network
        With its weights; put into evaluation mode here, and its batch norms folded.

    Attributes
    ----------
    identity : ModelIdentity
        Name, version and weights digest: what each score is filed under.
    points : OperatingPoints
        The two thresholds, chosen on validation data.
    input : InputSettings
        How an image is prepared.
    orientations : int
        How many orientations of an image are read and averaged.
    network : torch.nn.Module
        In evaluation mode, for explanations; scoring goes through :meth:`score`.
    """

    def __init__(self, bundle: Bundle, network: nn.Module) -> None:
        self.identity: ModelIdentity = bundle.identity
        self.points: OperatingPoints = bundle.settings.operating_points
        self._calibration = bundle.settings.calibration
        self._top_share = bundle.settings.top_share
        self.input: InputSettings = bundle.settings.input
        self.orientations: int = self.input.orientations
        self._preparation = Preparation.of(self.input)
        self.network: nn.Module = network.eval().requires_grad_(False)
        fold_batch_norms(self.network)
        self._meter = FamiliarityMeter.from_bundle(bundle, self.network)
        # On a CPU, convolutions are two to four times as fast with the channels last.
        self.network.to(_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Classifier:
        """Build the network of a bundle and fill in its weights.

        Raises
        ------
        BundleError
            If the network is not on the list, or the weights are not this network's.
        """
        try:
            network = build_network(bundle.target, bundle.arguments)
        except ValueError as error:
            raise BundleError(f"bundle {bundle.path}: {error}") from error
        try:
            # A strict load: a missing, surplus or misshapen tensor is an error.
            network.load_state_dict(safetensors.torch.load(bundle.read_weights()))
        except (SafetensorError, RuntimeError) as error:
            raise BundleError(
                f"{bundle.path / WEIGHTS} does not hold the weights of {bundle.target}: "
                "restore the bundle from where it came"
            ) from error
        classifier = cls(bundle, network)
        classifier._try(bundle)
        return classifier

    def _try(self, bundle: Bundle) -> None:
        """Score a black image: what does not fit together shows now, and not with a patient's."""
        side = bundle.settings.input.size
        try:
            self._read([self._preparation(np.zeros((side, side), np.float32))])
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"bundle {bundle.path} cannot score an image ({error}): "
                "restore the bundle from where it came"
            ) from error

    def prepare(self, pixels: NDArray[np.float32]) -> PreparedImage:
        """Fit a radiograph to the network.

        Parameters
        ----------
        pixels
            Float32 (H, W) in [0, 1], in presentation sense: dense bone is bright.

        Raises
        ------
        PixelError
            If it is no image: not two-dimensional, empty, or not made of finite numbers.
        """
        return self._preparation(pixels)

    def score(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        """Score a batch of prepared radiographs, in order.

        The batch is one forward pass, whose memory grows with its length. What an image is given
        does not depend on its neighbours, beyond 1e-4 of floating-point noise.
        """
        return [item.prediction for item in self.examine(images)]

    def examine(self, images: Sequence[PreparedImage]) -> list[Evidence]:
        """Score a batch as :meth:`score` does, and keep what the scores rest on."""
        if not images:
            return []
        readings, familiarities = self._read(images)
        return [self._evidence(*each) for each in zip(readings, familiarities, strict=True)]

    def _evidence(self, reading: Reading, known: Familiarity | None) -> Evidence:
        probability = self._calibration.probability(reading.image, reading.top)
        views = [self._calibration.probability(*view) for view in reading.views]
        return Evidence(
            Prediction(probability, reading.x, reading.y, known),
            view_spread=max(views) - min(views),
            cells=reading.cells,
        )

    def _read(
        self, images: Sequence[PreparedImage]
    ) -> tuple[list[Reading], Sequence[Familiarity | None]]:
        if self._meter is None:
            return self._look(images), [None] * len(images)
        with self._meter.listening(self.network) as taps:
            readings = self._look(images)
        return readings, self._meter.measure(taps)

    def _look(self, images: Sequence[PreparedImage]) -> list[Reading]:
        return read_batch(self.network, images, self._top_share, self.orientations)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_classifier(reference: str | Path, setting: str = "NIGHTREAD_MODEL") -> Classifier:
    """Load a classifier by the name of a shipped bundle or by a bundle's folder.

    Nothing is unpickled, and only a network of Nightread's own list is built.

    Parameters
    ----------
    reference
        A name or a folder.
    setting
        Where it was named, for the message of an error.

    Raises
    ------
    BundleError
        If the bundle is missing, altered, incomplete, or names a network that is not allowed.
    """
    return Classifier.from_bundle(read_bundle(reference, setting))
