"""The folder of one training: plain files that say what was done, and the state to go on from."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from models.curves import curves_csv, curves_png
from models.epoch_report import EpochReport
from models.json_bytes import json_bytes
from models.whole_file import write_whole
from screening.errors import TrainingError

_CHECKPOINT = "checkpoint.pt"
_LIBRARIES = ("nightread", "torch", "monai", "numpy", "pillow", "scikit-learn")


class RunFolder:
    """The files of one training.

    ``settings.json`` (recipe, digests of data and of the weights it began with), ``versions.json``,
    ``history.json`` (an entry per epoch), ``curves.csv`` and ``curves.png`` (the same to look at),
    ``best.pt`` (the selected weights), ``checkpoint.pt`` (the state after the last whole epoch),
    and ``bundle/`` once the training is done.

    Parameters
    ----------
    path
        Made where it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def bundle(self) -> Path:
        """Where the training's bundle is made."""
        return self.path / "bundle"

    def begin(self, settings: dict[str, Any], resume: bool) -> None:
        """Write what is about to be done, or check that it is what was being done.

        Raises
        ------
        TrainingError
            If the folder holds another training, or holds this one and ``resume`` is false.
        """
        known = self.path / "settings.json"
        if known.exists():
            if not resume:
                raise TrainingError(
                    f"{self.path} already holds a training: continue it with --resume, "
                    "or give another folder with --run"
                )
            former = self._kept("settings.json")
            # A recipe is the same by whatever name it is called.
            if former | {"reference": ""} != json.loads(json.dumps(settings)) | {"reference": ""}:
                raise TrainingError(
                    f"{self.path} holds a training of another recipe, data or backbone: "
                    "give the same ones, or another folder with --run"
                )
        self.write("settings.json", settings)
        self.write("versions.json", versions())

    def _kept(self, name: str) -> Any:  # noqa: ANN401  (anything JSON holds)
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError) as error:
            raise self._damaged(self.path / name) from error

    def _damaged(self, path: Path) -> TrainingError:
        return TrainingError(
            f"{path} is damaged or gone, so this training cannot go on: begin it again in another "
            "folder, with --run"
        )

    def write(self, name: str, value: Any) -> None:  # noqa: ANN401  (anything JSON holds)
        """Write a JSON file, whole or not at all."""
        write_whole(self.path / name, json_bytes(value))

    def save(self, state: dict[str, Any], history: list[EpochReport]) -> None:
        """Keep the state after an epoch; a kill at any moment leaves the one before."""
        entries = [dataclasses.asdict(entry) for entry in history]
        self._save_tensors(_CHECKPOINT, {"state": state, "history": entries})
        self.write("history.json", entries)
        write_whole(self.path / "curves.csv", curves_csv(history).encode())
        write_whole(self.path / "curves.png", curves_png(history))

    def save_best(self, weights: dict[str, torch.Tensor]) -> None:
        """Keep the weights of the best epoch so far."""
        self._save_tensors("best.pt", weights)

    def _save_tensors(self, name: str, value: dict[str, Any]) -> None:
        temporary = self.path / f".{name}.part"
        with temporary.open("wb") as file:
            try:
                torch.save(value, file)
            except RuntimeError as error:
                # PyTorch's complaint as it closes the file hides what the disk said.
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)

    def summary(self) -> dict[str, Any]:
        """Return what a bundle's metadata says of its training."""
        settings, history = self._kept("settings.json"), self._kept("history.json")
        selected = [entry for entry in history if entry["best"]][-1]
        found: dict[str, Any] = settings | {
            "epochs": len(history),
            "planned_epochs": history[-1]["epochs"],
            "selected_epoch": selected["epoch"],
            "validation_auc": round(selected["validation_auc"], 4),
            "minutes": round(sum(entry["seconds"] for entry in history) / 60, 1),
            "versions": self._kept("versions.json"),
        }
        return found

    def checkpoint(self) -> tuple[dict[str, Any], list[EpochReport]] | None:
        """Return the state after the last whole epoch and the history, or ``None`` at the start."""
        path = self.path / _CHECKPOINT
        if not path.exists():
            return None
        try:
            kept = torch.load(path, map_location="cpu", weights_only=True)
            return kept["state"], [EpochReport(**entry) for entry in kept["history"]]
        except Exception as error:  # what a damaged pickle raises is anybody's guess
            raise self._damaged(path) from error

    def best(self) -> dict[str, torch.Tensor]:
        """Return the weights of the best epoch."""
        path = self.path / "best.pt"
        try:
            weights: dict[str, torch.Tensor] = torch.load(
                path, map_location="cpu", weights_only=True
            )
        except Exception as error:  # what a damaged pickle raises is anybody's guess
            raise self._damaged(path) from error
        return weights


def versions() -> dict[str, str]:
    """Return the versions of what a training's outcome depends on."""
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": _device(),
    }
    return found | {name: _version(name) for name in _LIBRARIES}


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU cores"


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "not installed"
