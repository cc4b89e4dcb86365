"""What is written of an imported checkpoint, of which little is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from models.bundle import read_bundle
from models.bundle_folder import write_bundle
from models.calibration import Calibration
from models.input_settings import InputSettings
from models.monai_metadata import monai_metadata
from models.output_folder import new_folder
from models.recipe import Provenance
from screening.domain.verdict import OperatingPoints

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


def write_imported(imported: Imported, weights: Mapping[str, Tensor], out: Path) -> Path:
    """Write the bundle of a checkpoint, whole or not at all.

    Raises
    ------
    TrainingError
        If the folder exists or cannot be written.
    """
    said = dataclasses.replace(
        Provenance(),
        description=(
            f"{imported.target.rpartition('.')[2]}, imported from a checkpoint that was trained "
            "elsewhere."
        ),
        copyright="Copyright of the weights: not stated. Ask whoever made the checkpoint.",
        data_source="Training data: not stated.",
    )
    change = "imported by `nightread bundle import`"
    metadata = monai_metadata(
        imported.name, VERSION, change, said, imported.target, imported.input.size
    )
    metadata["nightread"] = _own(imported)
    with new_folder(out) as folder:
        write_bundle(folder, imported.target, imported.arguments, weights, metadata)
        read_bundle(folder)
    return out


def _own(imported: Imported) -> dict[str, Any]:
    return {
        "input": dataclasses.asdict(imported.input),
        "top_share": TOP_SHARE,
        "calibration": dataclasses.asdict(imported.calibration),
        "operating_points": dataclasses.asdict(imported.points),
        "calibrated": imported.calibrated,
        "limits": [*(() if imported.calibrated else (_UNCALIBRATED,)), *_LIMITS],
        "training": {"imported": imported.origin},
        "figures": {},
    }
