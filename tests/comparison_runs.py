"""Runs of trainings that never were: random weights, and metadata that tells a story."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from labelled_sets import film

from models.dataset import digest, read_split
from models.networks.registry import build_network

NETWORK = "models.networks.mobilenet_v2.MobileNetV2"


def drawn_set(folder: Path, first_seed: int, each: int = 6) -> Path:
    """Write a labelled set of drawn films with the three splits, the fractured ones darker."""
    folder.mkdir(parents=True)
    rows = []
    for split in ("train", "val", "test"):
        for number in range(2 * each):
            name, fractured = f"{split}{number}.png", number % 2
            picture = film(first_seed + len(rows), (64, 64))
            (picture.point(lambda level: level // 2) if fractured else picture).save(folder / name)
            rows.append((name, ("not_fractured", "fractured")[fractured], split, f"g{len(rows)}"))
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split", "group"), *rows])
    return folder


def write_run(
    run: Path,
    recipe: str,
    data: Path,
    *,
    epochs: int = 2,
    planned: int = 2,
    seed: int = 0,
    leaking: bool = False,
) -> Path:
    """Write a run's folder with its bundle."""
    bundle = run / "bundle"
    for folder in ("configs", "models"):
        (bundle / folder).mkdir(parents=True)
    torch.manual_seed(seed)
    weights = safetensors.torch.save(build_network(NETWORK, {}).state_dict())
    (bundle / "models/model.safetensors").write_bytes(weights)
    (bundle / "configs/inference.json").write_text(
        json.dumps({"network_def": {"_target_": NETWORK}})
    )
    validation = digest(read_split(data, "val"))
    training: dict[str, Any] = {
        "recipe": {
            "name": recipe,
            "initial": "random",
            "optimisation": {"cycles": [{"epochs": planned, "learning_rate": 1e-3}]},
        },
        "data": {
            "name": data.name,
            "val": {"images": 12, "sha256": validation},
            "leaking": leaking,
        },
        "epochs": epochs,
        "planned_epochs": planned,
        "minutes": 3.0,
        "device": "2 CPU cores",
    }
    metadata = {
        "name": recipe,
        "version": "0.1.0",
        "nightread": {
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "input": {"size": 64},
            "top_share": 0.1,
            "calibration": {"image": 1.0, "top": 0.5, "bias": 0.0},
            "operating_points": {"high_sensitivity": 0.3, "high_specificity": 0.7},
            "training": training,
        },
    }
    (bundle / "configs/metadata.json").write_text(json.dumps(metadata))
    (run / "settings.json").write_text(json.dumps(training))
    return run
