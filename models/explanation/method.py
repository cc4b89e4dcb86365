"""The four ways to explain a score, by name."""

from __future__ import annotations

from enum import StrEnum

import torch

from models.classifier import Classifier
from models.explanation.copies import OnPass
from models.explanation.grad_cam import attend
from models.explanation.heatmap import Heatmap
from models.explanation.lime import lime
from models.explanation.occlusion import occlusion
from models.reading import look
from models.transforms import PreparedImage
from screening.errors import BundleError


class Method(StrEnum):
    """Where a heatmap comes from."""

    CELLS = "cells"
    GRADCAM = "gradcam"
    OCCLUSION = "occlusion"
    LIME = "lime"


USUAL_PASSES = {Method.CELLS: 1, Method.GRADCAM: 1, Method.OCCLUSION: 200, Method.LIME: 500}
"""Forward passes for one radiograph where the caller names no number."""

_LEAST_PASSES = {Method.CELLS: 1, Method.GRADCAM: 1, Method.OCCLUSION: 5, Method.LIME: 8}


def explain(
    classifier: Classifier,
    prepared: PreparedImage,
    method: Method,
    passes: int | None = None,
    on_pass: OnPass = lambda done, total: None,
) -> Heatmap:
    """Explain what a classifier says of one radiograph.

    Cells show the network's own probability of a fracture at each place, so that a heatmap may be
    cold all over. The heat of the other methods is relative: the hottest place is 1. Cells and
    Grad-CAM explain the network's logits, occlusion and LIME the calibrated probability.

    Parameters
    ----------
    classifier
        As :func:`models.classifier.load_classifier` gives it.
    prepared
        Of :meth:`Classifier.prepare`.
    method
        Which explanation.
    passes
        Most forward passes for occlusion and LIME; their usual number where ``None``.
    on_pass
        Called as passes are done, with how many and of how many.

    Raises
    ------
    BundleError
        If the network has no map of cells, or no layer for Grad-CAM.
    DependencyError
        If the method's library is not installed.
    ValueError
        If the passes are too few for the method.
    """
    spent = require_passes(method, passes)
    if method == Method.OCCLUSION:
        return occlusion(classifier, prepared, spent, on_pass)
    if method == Method.LIME:
        return lime(classifier, prepared, spent, on_pass)
    made = _cells if method == Method.CELLS else _grad_cam
    heatmap = made(classifier, prepared)
    on_pass(1, 1)
    return heatmap


def require_passes(method: Method, passes: int | None) -> int:
    """Return the forward passes to spend: those asked for, or the usual number.

    Raises
    ------
    ValueError
        If they are too few for the method.
    """
    spent = USUAL_PASSES[method] if passes is None else passes
    if spent < _LEAST_PASSES[method]:
        raise ValueError(f"{method} needs at least {_LEAST_PASSES[method]} passes, not {spent}")
    return spent


def _cells(classifier: Classifier, prepared: PreparedImage) -> Heatmap:
    # Averaged over the orientations that the score is, or it would explain another one.
    cells = look(classifier.network, prepared.tensor[None], classifier.orientations).cells
    if cells is None:
        raise BundleError(
            f"the network {type(classifier.network).__name__} has no map of cells: use the method "
            "gradcam, occlusion or lime"
        )
    return Heatmap.from_square(cells[0].float().sigmoid(), prepared, relative=False)


def _grad_cam(classifier: Classifier, prepared: PreparedImage) -> Heatmap:
    found = attend(classifier.network, _batch(classifier, prepared)).grad_cam()
    return Heatmap.from_square(found[0], prepared, relative=True)


def _batch(classifier: Classifier, prepared: PreparedImage) -> torch.Tensor:
    """Return a batch of one, where the network's weights are."""
    weight = next(classifier.network.parameters(), torch.empty(0))
    return prepared.tensor[None].to(weight.device)
