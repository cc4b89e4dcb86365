"""A classifier's scores on a split, kept as a file, so that nothing is measured twice."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.classifier import Classifier
from models.comparison.contender import Contender
from models.comparison.labelled_split import LabelledSplit
from models.dataset import leaks
from models.evaluation.scoring import Step, silent
from models.image_file import read_grey, unit_range
from models.whole_file import write_whole
from screening.errors import TrainingError

_BATCH = 16
_UNFIT_FOR_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one classifier said of one split.

    Attributes
    ----------
    label, set, split
        Of the classifier and the data, for a reader of the file.
    weights_sha256, settings_sha256, data_sha256
        Of what was measured: where one of them differs, it is measured again.
    probabilities
        One for each film, in the order of the table.
    images_per_second
        Prepared and scored, decoding left out.
    machine
        Where that was.
    """

    label: str
    set: str
    split: str
    weights_sha256: str
    settings_sha256: str
    data_sha256: str
    probabilities: tuple[float, ...]
    images_per_second: float
    machine: str


class Results:
    """The folder of the files.

    Parameters
    ----------
    folder
        Made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, contender: Contender, data: LabelledSplit) -> Measured | None:
        """Return what was measured of the same weights, settings and data, if anything was."""
        try:
            kept = json.loads(self._path(contender, data).read_bytes())
            found = Measured(**{**kept, "probabilities": tuple(kept["probabilities"])})
        except (OSError, ValueError, TypeError, KeyError):
            # Whatever is wrong with the file, measuring again mends it.
            return None
        same = (
            found.weights_sha256 == contender.weights_sha256
            and found.settings_sha256 == contender.settings_sha256
            and found.data_sha256 == data.sha256
            and len(found.probabilities) == len(data.rows)
        )
        return found if same else None

    def keep(self, contender: Contender, data: LabelledSplit, measured: Measured) -> None:
        """Write a file, whole or not at all.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        self._write(self._path(contender, data), dataclasses.asdict(measured))

    def copies(self, train: LabelledSplit, data: LabelledSplit) -> int:
        """Return how many films are exact copies of films of a train split, counted once.

        Raises
        ------
        TrainingError
            If the number cannot be kept.
        """
        path = self.folder / f"copies--{train.sha256[:16]}-{data.sha256[:16]}.json"
        try:
            return int(json.loads(path.read_bytes())["copies"])
        except (OSError, ValueError, TypeError, KeyError):
            found = len(leaks(train.rows, data.rows))
        self._write(path, {"train": train.name, "set": data.name, "copies": found})
        return found

    def _write(self, path: Path, value: dict[str, Any]) -> None:
        try:
            write_whole(path, (json.dumps(value) + "\n").encode())
        except OSError as error:
            raise TrainingError(
                f"results cannot be kept in {self.folder} ({error.strerror}): give another folder "
                "with --results"
            ) from error

    def _path(self, contender: Contender, data: LabelledSplit) -> Path:
        name = f"{contender.label}-{contender.weights_sha256[:8]}--{data.name}-{data.split}"
        return self.folder / f"{_UNFIT_FOR_A_NAME.sub('_', name)}.json"


def score_split(
    contender: Contender,
    data: LabelledSplit,
    on_image: Step = silent,
) -> Measured:
    """Score a split.

    Parameters
    ----------
    contender
        Its weights are loaded here.
    data
        The films.
    on_image
        Called as films are scored, with how many and of how many.

    Raises
    ------
    BundleError
        If the bundle cannot be loaded.
    TrainingError
        If a film cannot be read.
    """
    classifier = Classifier.from_bundle(contender.bundle)
    probabilities: list[float] = []
    seconds = 0.0
    for at in range(0, len(data.rows), _BATCH):
        films = [unit_range(read_grey(row.path)) for row in data.rows[at : at + _BATCH]]
        started = time.perf_counter()
        scored = classifier.score([classifier.prepare(film) for film in films])
        seconds += time.perf_counter() - started
        probabilities += [item.probability for item in scored]
        on_image(len(probabilities), len(data.rows))
    return Measured(
        label=contender.label,
        set=data.name,
        split=data.split,
        weights_sha256=contender.weights_sha256,
        settings_sha256=contender.settings_sha256,
        data_sha256=data.sha256,
        probabilities=tuple(probabilities),
        images_per_second=len(probabilities) / max(seconds, 1e-9),
        machine=_machine(classifier),
    )


def _machine(classifier: Classifier) -> str:
    device = next(classifier.network.parameters()).device
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{count} CPU cores"
