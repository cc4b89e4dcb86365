"""What is written of an imported checkpoint: the bundle's files, whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from models.bundle import CARD, METADATA, NETWORK, WEIGHTS, read_bundle
from models.calibration import Calibration
from models.card import render_card
from models.input_settings import InputSettings
from models.publishing import seal
from models.recipe import Provenance
from models.run_folder import versions
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError

VERSION = "0.1.0"
TOP_SHARE = 0.01
"""Share of a map's cells whose mean is the map's score, of a network that has a map."""

_LIMITS = (
    "It was trained elsewhere: on what, and how well it was tested, Nightread cannot know.",
    "Films may have been prepared otherwise in its training (cropped, stretched, equalised): odd "
    "scores may come of that alone. Measure it on your own images before you rely on it.",
)
_UNCALIBRATED = (
    "Not calibrated: its number is no probability, and its thresholds, 0.5 and 0.5, were chosen by "
    "nobody. Import it again with --data to have both chosen on a validation split."
)


@dataclass(frozen=True, slots=True)
class Imported:
    """A checkpoint that has found its network, before it is written.

    Attributes
    ----------
    name
        Of the bundle.
    target, arguments
        The network's dotted name and its constructor's arguments.
    input
        How an image is prepared.
    calibration, points
        From the network's output to a verdict.
    origin
        A sentence on where it came from, for the card.
    calibrated
        Whether the calibration and the points were chosen on data.
    """

    name: str
    target: str
    arguments: dict[str, Any]
    input: InputSettings
    calibration: Calibration
    points: OperatingPoints
    origin: str
    calibrated: bool


def write_bundle(imported: Imported, weights: Mapping[str, Tensor], out: Path) -> Path:
    """Write a bundle beside its place and move it there when it is whole.

    Raises
    ------
    BundleError
        If the folder cannot be written.
    """
    content = safetensors.torch.save(
        {name: value.contiguous().clone() for name, value in weights.items()}
    )
    metadata = _metadata(imported, hashlib.sha256(content).hexdigest())
    seal(metadata)
    network = {"network_def": {"_target_": imported.target, **imported.arguments}}
    files = {
        WEIGHTS: content,
        NETWORK: _json(network),
        METADATA: _json(metadata),
        CARD: render_card(metadata).encode(),
    }
    try:
        _write_whole(files, out)
    except OSError as error:
        raise BundleError(
            f"{out} cannot be written ({error.strerror}): give another folder with --out"
        ) from error
    return out


def _write_whole(files: Mapping[Path, bytes], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for name, content in files.items():
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(content)
        read_bundle(part)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _metadata(imported: Imported, digest: str) -> dict[str, Any]:
    """Return MONAI's own keys, and what is known of the checkpoint."""
    used, unknown = versions(), Provenance()
    network = imported.target.rpartition(".")[2]
    return {
        "name": imported.name,
        "version": VERSION,
        "changelog": {VERSION: "imported by `nightread bundle import`"},
        "monai_version": used["monai"],
        "pytorch_version": used["torch"],
        "numpy_version": used["numpy"],
        "task": "Screening of radiographs for fractures",
        "description": f"{network}, imported from a checkpoint that was trained elsewhere.",
        "authors": unknown.authors,
        "copyright": "Copyright of the weights: not stated. Ask whoever made the checkpoint.",
        "intended_use": unknown.intended_use,
        "data_source": "Training data: not stated.",
        "references": [],
        "network_data_format": _data_format(imported.input.size),
        "nightread": _own(imported, digest),
    }


def _own(imported: Imported, digest: str) -> dict[str, Any]:
    return {
        "weights_sha256": digest,
        "input": dataclasses.asdict(imported.input),
        "top_share": TOP_SHARE,
        "calibration": dataclasses.asdict(imported.calibration),
        "operating_points": dataclasses.asdict(imported.points),
        "calibrated": imported.calibrated,
        "limits": [*(() if imported.calibrated else (_UNCALIBRATED,)), *_LIMITS],
        "training": {"imported": imported.origin},
        "figures": {},
    }


def _data_format(side: int) -> dict[str, Any]:
    """Describe what goes in and what comes out, in MONAI's words."""
    image = {
        "type": "image",
        "format": "magnitude",
        "num_channels": 1,
        "spatial_shape": [side, side],
        "dtype": "float32",
        "value_range": [-1, 1],
        "is_patch_data": False,
        "channel_def": {"0": "radiograph"},
    }
    logit = image | {
        "type": "probabilities",
        "format": "logits",
        "spatial_shape": [],
        "value_range": [],
        "channel_def": {"0": "fracture"},
    }
    return {"inputs": {"image": image}, "outputs": {"image": logit}}
