"""The model card: a page drawn from a bundle's metadata, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.card_figures import render_figures
from screening.errors import BundleError

_LEAKED = (
    "**Its validation images were in its training too**: the selection, the calibration and the "
    "operating points rest on memory, and so do all figures on that set."
)
_NOT_CALIBRATED = (
    "**Not calibrated.** It gives the network's own output between 0 and 1, which is no "
    "probability of a fracture. An image is *clear* below 0.5 and *suspected* from 0.5 on: nobody "
    "has chosen these thresholds on data."
)


def render_card(metadata: Mapping[str, Any]) -> str:
    """Return the model card as Markdown, every number in it taken from the metadata.

    Raises
    ------
    BundleError
        If the metadata lacks something, or holds something else in its place.
    """
    try:
        return _card(metadata)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"the metadata of the bundle {metadata.get('name')} is not what its card can be drawn "
            f"from ({type(error).__name__}: {error}): mend configs/metadata.json"
        ) from error


def _card(metadata: Mapping[str, Any]) -> str:
    own = metadata["nightread"]
    parts = [
        f"# {metadata['name']} {metadata['version']}",
        metadata["description"],
        "## Intended use",
        metadata["intended_use"],
        "## What it gives",
        _output(own),
        _familiar(own),
        "## Figures",
        render_figures(own["figures"]),
        "## Limits",
        _list(own["limits"]),
        "## Training",
        _training(own["training"]),
        "## Data and licence",
        f"{metadata['data_source']}\n\n{metadata['copyright']}",
        "## References",
        _list(metadata["references"]),
        "## Weights",
        f"`models/model.safetensors`, SHA-256 `{own['weights_sha256']}`; "
        f"made with PyTorch {metadata['pytorch_version']} and MONAI {metadata['monai_version']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _familiar(own: Mapping[str, Any]) -> str:
    told = own.get("familiarity")
    if not told:
        return (
            "**It cannot tell what is unlike its training images**: it scores a photograph as "
            "readily as a wrist, and abstains from nothing that it can read."
        )
    return (
        "An image whose features are stranger than the limit is *not scored: unlike the training "
        f"images*; {told['kept']:.1%} of the validation split are kept. Log odds of a logistic "
        "regression on pooled features, fitted on training films shown as other hospitals might "
        "show them, against pictures that are no radiographs."
        + "".join(f" {line}" for line in _kept(own.get("familiarity_kept", {})))
    )


def _kept(shares: Mapping[str, float]) -> list[str]:
    if not shares:
        return []
    each = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    return [f"Not refused, by source: {each}."]


def _list(entries: list[str]) -> str:
    return "\n".join(f"- {entry}" for entry in entries) or "None stated."


def _output(own: Mapping[str, Any]) -> str:
    points, given = own["operating_points"], own["input"]
    if not own.get("calibrated", True):
        return _NOT_CALIBRATED
    return (
        "A probability of a fracture, calibrated on the validation split, and the most suspicious "
        f"point. An image is *clear* below {points['high_sensitivity']:.4f} (chosen to find "
        "95 % of the fractures), *suspected* from "
        f"{points['high_specificity']:.4f} on (chosen to clear 95 % of the normals), and "
        f"*doubtful* between; both on the validation split. The network sees the radiograph in a "
        f"square of {given['size']} pixels, aspect kept, its intensities stretched between "
        f"percentiles {given['lower']:g} and {given['upper']:g}."
    )


def _training(training: Mapping[str, Any]) -> str:
    if "imported" in training:
        return str(training["imported"])
    if "averaged" in training:
        return _average(training)
    data = training["data"]
    leaked = f" {_LEAKED}" if data.get("leaking") else ""
    return (
        f"{data['train']['images']} images of the train split, "
        f"{training['epochs']} epochs in {training['minutes']:.0f} minutes; epoch "
        f"{training['selected_epoch']} was selected by the AUC on the {data['val']['images']} "
        f"images of the validation split, {training['validation_auc']:.3f}. The calibration and "
        "the two operating points were chosen on the validation split too; the test split was "
        "opened only for the figures above. The recipe, the digests of the data and the versions "
        f"of the libraries stand in `configs/metadata.json`.{leaked}"
    )


def _average(training: Mapping[str, Any]) -> str:
    members = "\n".join(
        f"- {item['name']} {item['version']}, SHA-256 `{item['weights_sha256']}`: "
        f"{item['training']['epochs']} epochs, validation AUC "
        f"{item['training']['validation_auc']:.3f}"
        for item in training["averaged"]
    )
    return (
        "The weights are the mean of those of several trainings, of which each went on from the "
        "one before (a *model soup*: Wortsman et al., ICML 2022, arXiv:2203.05482):\n\n"
        f"{members}\n\n"
        "The calibration and the two operating points were chosen on the validation split alone; "
        "the test split was opened only for the figures above. The recipes, the digests of the "
        "data and the versions of the libraries stand in `configs/metadata.json`."
        + (f" {_LEAKED}" if training.get("data", {}).get("leaking") else "")
    )
