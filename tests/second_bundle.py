"""A second model, for tests in which one follows another: a small network of its own."""

from __future__ import annotations

from pathlib import Path

import torch

from models.importing import ImportSettings, import_checkpoint
from models.networks.registry import build_network


def write_second(folder: Path, name: str = "compact") -> Path:
    """Write a bundle of an untrained compact network at 64 pixels; it scores, whatever it says."""
    torch.manual_seed(3)
    checkpoint = folder / f"{name}.pth"
    torch.save(build_network("compact_cnn", {}).state_dict(), checkpoint)
    settings = ImportSettings("compact_cnn", pixels="symmetric", size=64)
    return import_checkpoint(settings, checkpoint, folder / name, name=name)
