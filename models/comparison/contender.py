"""A classifier that takes part in a comparison: a training's run, or a bundle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from models.bundle import METADATA, WEIGHTS, Bundle, find_bundle, read_bundle
from models.comparison.training import Training, read_training
from screening.errors import BundleError, TrainingError

_NOT_LEARNT = ("running_mean", "running_var", "num_batches_tracked")
_SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class Contender:
    """A bundle and where it comes from.

    Attributes
    ----------
    label
        What the page calls it: the run folder's name, or the bundle's.
    bundle
        Its metadata; the weights are not read yet.
    training
        What the bundle says of its training; ``None`` where it says nothing.
    run
        The training's folder; ``None`` for a bundle that stands alone.
    """

    label: str
    bundle: Bundle
    training: Training | None
    run: Path | None

    @property
    def key(self) -> str:
        """The recipe's name, by which a claim is matched."""
        return self.training.recipe if self.training else self.bundle.name

    @property
    def weights_sha256(self) -> str:
        """Of its weights file, as its metadata states it."""
        return self.bundle.settings.weights_sha256

    @property
    def settings_sha256(self) -> str:
        """Of all that makes a verdict of the network's output: input, calibration, points."""
        settings = dataclasses.asdict(self.bundle.settings)
        content = json.dumps([self.bundle.arguments, settings], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()

    def parameters(self) -> int:
        """Return how many numbers were learnt, without loading them.

        Raises
        ------
        BundleError
            If the weights cannot be read.
        """
        path = self.bundle.path / WEIGHTS
        try:
            with safe_open(path, framework="numpy") as file:
                names = [name for name in file.keys() if not name.endswith(_NOT_LEARNT)]  # noqa: SIM118
                return sum(math.prod(file.get_slice(name).get_shape()) for name in names)
        except Exception as error:
            # safetensors raises what its Rust side raises, which is no closed list.
            raise BundleError(
                f"{path} cannot be read ({error}): restore the bundle from where it came"
            ) from error

    def weights_size(self) -> int:
        """Return the size of the weights file in bytes."""
        return (self.bundle.path / WEIGHTS).stat().st_size


def find_contenders(references: Sequence[str]) -> tuple[Contender, ...]:
    """Read what takes part, each by a run's folder, a bundle's folder or a shipped bundle's name.

    Labels that are equal are told apart by the weights.

    Raises
    ------
    TrainingError
        If a run has made no bundle yet.
    BundleError
        If there is no run and no bundle, or a bundle is incomplete.
    """
    found = [_contender(reference) for reference in references]
    return tuple(_labelled(item, found) for item in found)


def _labelled(item: Contender, others: Iterable[Contender]) -> Contender:
    if sum(other.label == item.label for other in others) == 1:
        return item
    return dataclasses.replace(item, label=f"{item.label} {item.weights_sha256[:8]}")


def _contender(reference: str) -> Contender:
    path = Path(reference)
    run: Path | None = None
    if (path / "bundle" / METADATA).is_file():
        bundle, run = read_bundle(path / "bundle"), path
    elif (path / _SETTINGS).is_file():
        raise TrainingError(
            f"the run {path} has made no bundle yet: finish it with `nightread train ... --run "
            f"{path} --resume`, or end it early with --stop-after, then compare"
        )
    else:
        bundle = read_bundle(_found(reference))
        if bundle.path.name == "bundle" and (bundle.path.parent / _SETTINGS).is_file():
            run = bundle.path.parent
    label = run.resolve().name if run else bundle.name
    return Contender(label, bundle, read_training(bundle.metadata, run), run)


def _found(reference: str) -> Path:
    try:
        return find_bundle(reference)
    except BundleError:
        raise BundleError(
            f"{reference} is no run of `nightread train` and no bundle: give a run's folder, a "
            "bundle's folder, or the name of a bundle that ships"
        ) from None
