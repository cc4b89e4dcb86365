"""The model card: a page drawn from a bundle's metadata, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADER = (
    "| set | images (fractured) | AUC | sensitivity, specificity "
    "at the high-sensitivity point | at the high-specificity point | calibration error "
    "| pointing game |"
)


def render_card(metadata: Mapping[str, Any]) -> str:
    """Return the model card as Markdown, every number in it taken from the metadata."""
    own = metadata["nightread"]
    parts = [
        f"# {metadata['name']} {metadata['version']}",
        metadata["description"],
        "## Intended use",
        metadata["intended_use"],
        "## What it gives",
        _output(own),
        "## Figures",
        _figures(own["figures"]),
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


def _list(entries: list[str]) -> str:
    return "\n".join(f"- {entry}" for entry in entries) or "None stated."


def _output(own: Mapping[str, Any]) -> str:
    points, given = own["operating_points"], own["input"]
    return (
        "A probability of a fracture, calibrated on the validation split, and the most suspicious "
        f"point. An image is *clear* below {points['high_sensitivity']:.4f} (the highest threshold "
        "that found 95 % of the validation split's fractures), *suspected* from "
        f"{points['high_specificity']:.4f} on (the lowest that cleared 95 % of its normals), and "
        f"*doubtful* between. The network sees the radiograph in a square of {given['size']} "
        f"pixels, aspect kept, its intensities stretched between percentiles {given['lower']:g} "
        f"and {given['upper']:g}."
    )


def _figures(figures: Mapping[str, Any]) -> str:
    if not figures:
        return "No test figures are recorded in this bundle. Measure it before you rely on it."
    rows = [_row(name, item) for name, item in figures.items()]
    table = "\n".join([_HEADER, "|---|---|---|---|---|---|---|", *rows])
    speeds = ", ".join(f"{item['images_per_second']:.0f}" for item in figures.values())
    return (
        f"{table}\n\nBrackets: 95 % bootstrap intervals over source radiographs. Pointing game: of "
        "the fractured images with outlines, the share whose hottest point lies in one. "
        f"Speed where it was measured: {speeds} images per second, decoding left out."
    )


def _row(name: str, item: Mapping[str, Any]) -> str:
    pointing = _estimate(item["pointing"]) if item["pointing"] else "no outlines"
    return (
        f"| {name} | {item['images']} ({item['fractured']}) | {_estimate(item['auc'])} "
        f"| {_point(item['high_sensitivity'])} | {_point(item['high_specificity'])} "
        f"| {item['calibration_error']:.3f} | {pointing} |"
    )


def _point(item: Mapping[str, Any]) -> str:
    return f"{_estimate(item['sensitivity'])}, {_estimate(item['specificity'])}"


def _estimate(item: Mapping[str, float]) -> str:
    return f"{item['value']:.3f} [{item['low']:.3f}, {item['high']:.3f}]"


def _training(training: Mapping[str, Any]) -> str:
    data = training["data"]
    return (
        f"{data['train']['images']} images of the train split, "
        f"{training['epochs']} epochs in {training['minutes']:.0f} minutes; epoch "
        f"{training['selected_epoch']} was selected by the AUC on the {data['val']['images']} "
        f"images of the validation split, {training['validation_auc']:.3f}. The calibration and "
        "the two operating points were chosen on the validation split too; the test split was "
        "opened only for the figures above. The recipe, the digests of the data and the versions "
        "of the libraries stand in `configs/metadata.json`."
    )
