"""A bundle of random weights: its scores mean nothing, its time does."""

from __future__ import annotations

from pathlib import Path

import torch

from models.calibration import Calibration
from models.imported_bundle import Imported, write_imported
from models.input_settings import InputSettings
from models.networks.registry import build_network, dotted_name
from screening.domain.verdict import OperatingPoints


def densenet_bundle(folder: Path) -> Path:
    """Write a DenseNet121 into a folder and return the bundle's path."""
    torch.manual_seed(1)
    network = build_network("densenet121", {})
    imported = Imported(
        name="densenet121",
        target=dotted_name("densenet121"),
        arguments={},
        input=InputSettings(size=224),
        calibration=Calibration(1.0, 0.0, 0.0),
        points=OperatingPoints(0.0, 0.0),  # everything is flagged, so that each has its heatmap
        origin="Random weights, for a benchmark.",
        calibrated=False,
    )
    return write_imported(imported, network.state_dict(), folder / "densenet121")
