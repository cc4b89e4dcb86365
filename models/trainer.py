"""The training loop: epochs over the train split, readings of the validation split."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.augmentation import augment, cell_target
from models.bundle import read_bundle
from models.dataset import LabelledRadiograph, read_pixels, unit_range
from models.loss import training_loss
from models.networks.mobilenet_v2 import CELL
from models.networks.registry import build_network
from models.reading import Reading, read_batch
from models.recipe import Cycle, Recipe
from models.transforms import Preparation
from screening.errors import TrainingError

_KEPT = 1.5  # times the input's side: training images are kept no larger, and crops choose from it
_VALIDATION_BATCH = 16


@dataclass(frozen=True, slots=True)
class _Sample:
    """A batch of training."""

    images: Tensor
    labels: Tensor
    cells: Tensor


class Trainer:
    """One training: the network, its optimiser, its data, and where it stands.

    Parameters
    ----------
    recipe
        Every choice.
    train, validation
        The two splits.
    backbone
        ImageNet weights where the recipe starts from them, else ``None``.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Sequence[LabelledRadiograph],
        validation: Sequence[LabelledRadiograph],
        backbone: Path | None,
    ) -> None:
        self.recipe = recipe
        self.prepare = Preparation(recipe.input.size, recipe.input.lower, recipe.input.upper)
        torch.manual_seed(recipe.seed)
        self.network = _build(recipe, backbone)
        self._frozen = [*self.network.get_submodule("features").children()][
            : recipe.optimisation.frozen_blocks
        ]
        for block in self._frozen:
            block.requires_grad_(False)
        # Convolutions on a CPU are faster so; the signature of Module.to leaves the argument out.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.train_rows = train
        self.validation_rows = validation
        longest = round(_KEPT * recipe.input.size)
        self._pixels = [_training_pixels(row.path, longest) for row in train]
        self._validation = [self.prepare(unit_range(read_pixels(row.path))) for row in validation]
        self.averaged = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(  # type: ignore[no-untyped-call]
                recipe.optimisation.average_decay
            ),
            use_buffers=True,
        )
        self._begin(recipe.optimisation.cycles[0])

    def _begin(self, cycle: Cycle) -> None:
        """Start a cycle with a new optimiser and schedule."""
        self.optimiser = torch.optim.AdamW(
            [weight for weight in self.network.parameters() if weight.requires_grad],
            cycle.learning_rate,
            weight_decay=self.recipe.optimisation.weight_decay,
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            max_lr=cycle.learning_rate,
            total_steps=cycle.epochs * len(self._order(0)),
        )

    def _order(self, epoch: int) -> list[NDArray[np.intp]]:
        """Return the epoch's batches: every fracture, and normals drawn afresh."""
        rng = np.random.default_rng((self.recipe.seed, epoch))
        labels = np.array([row.fractured for row in self.train_rows])
        fractured, normal = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
        wanted = round(len(fractured) * self.recipe.optimisation.normals_per_fracture)
        drawn = rng.choice(normal, min(wanted, len(normal)), replace=False)
        chosen = rng.permutation(np.concatenate([fractured, drawn]))
        batch = self.recipe.optimisation.batch
        # A last batch of one image would leave batch norm without a variance.
        edges = [at for at in range(batch, len(chosen), batch) if len(chosen) - at > 1]
        return np.split(chosen, edges)

    def _batches(self, epoch: int) -> Iterator[_Sample]:
        for chosen in self._order(epoch):
            drawn = [self._sample(int(index), epoch) for index in chosen]
            images, labels, cells = zip(*drawn, strict=True)
            yield _Sample(
                torch.stack(images),
                torch.tensor(labels, dtype=torch.float32),
                torch.from_numpy(np.stack(cells)),
            )

    def _sample(self, index: int, epoch: int) -> tuple[Tensor, int, NDArray[np.float32]]:
        """Augment one radiograph; the draw depends on seed, epoch and row alone."""
        row = self.train_rows[index]
        rng = np.random.default_rng((self.recipe.seed, epoch, index))
        changed = augment(self._pixels[index], row.boxes, self.recipe.augmentation, rng)
        prepared = self.prepare(unit_range(changed.pixels))
        cells = cell_target(row.boxes, prepared, CELL, changed.to_source)
        return prepared.tensor, row.fractured, cells

    def run_epoch(self, epoch: int, on_step: Callable[[int, int], None]) -> float:
        """Train one epoch and return its mean loss."""
        cycle = self.recipe.optimisation.beginning(epoch)
        if epoch and cycle is not None:
            # The average of the weights is better than any of them: go on from there.
            self.network.load_state_dict(self.averaged.module.state_dict())
            self._begin(cycle)
        torch.manual_seed(self.recipe.seed * 1000 + epoch)  # dropout
        self._train_mode()
        losses = []
        total = len(self._order(epoch))
        for step, sample in enumerate(self._batches(epoch), start=1):
            losses.append(self._step(sample))
            on_step(step, total)
        return float(np.mean(losses))

    def _step(self, sample: _Sample) -> float:
        with self._precision():
            logits = self.network(sample.images)
        loss = training_loss(logits, sample.labels, sample.cells, self.recipe.loss)
        if not torch.isfinite(loss):
            raise TrainingError(
                "the loss is no longer a finite number: lower learning_rate in the recipe, "
                "or set precision to float32"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        return float(loss.detach())

    def _train_mode(self) -> None:
        """Set everything to learn, but for the frozen blocks, whose batch norms stand still too."""
        self.network.train()
        for block in self._frozen:
            block.eval()

    def _precision(self) -> torch.autocast:
        reduced = self.recipe.optimisation.precision == "bfloat16"
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=reduced)

    def validate(self) -> list[Reading]:
        """Read the validation split with the averaged weights."""
        self.averaged.eval()
        readings: list[Reading] = []
        for at in range(0, len(self._validation), _VALIDATION_BATCH):
            images = self._validation[at : at + _VALIDATION_BATCH]
            with self._precision():
                readings += read_batch(self.averaged, images, self.recipe.loss.top_share)
        return readings

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])


def _training_pixels(path: Path, longest: int) -> NDArray[np.uint8]:
    """Read a training image, no larger than augmentation needs it."""
    image = Image.fromarray(read_pixels(path))
    image.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.asarray(image)


def _build(recipe: Recipe, backbone: Path | None) -> nn.Module:
    try:
        network = build_network(recipe.network, recipe.network_arguments)
    except ValueError as error:
        raise TrainingError(f"{error}: correct the recipe") from error
    if recipe.initial == "backbone":
        _load_backbone(network, backbone)
    elif recipe.initial == "bundle":
        _load_bundle(network, recipe.network, backbone)
    return network


def _load_bundle(network: nn.Module, target: str, start: Path | None) -> None:
    """Load all weights of another training's bundle."""
    if start is None:
        raise TrainingError(
            "the recipe goes on from a bundle and none was given: name it with --backbone"
        )
    bundle = read_bundle(start)
    if bundle.target != target:
        raise TrainingError(
            f"the bundle {start} is a {bundle.target}, and the recipe asks for {target}: "
            "give a bundle of the recipe's network"
        )
    network.load_state_dict(safetensors.torch.load(bundle.read_weights()))


def _load_backbone(network: nn.Module, backbone: Path | None) -> None:
    """Load ``features.*`` from a checkpoint with torchvision's names, every key required."""
    if backbone is None or not backbone.is_file():
        raise TrainingError(
            f"the recipe starts from ImageNet weights and {backbone or 'no file'} was given: "
            'give the file with --backbone, or set initial = "random" in the recipe'
        )
    try:
        state = torch.load(backbone, map_location="cpu", weights_only=True)
        features = {
            name.removeprefix("features."): value
            for name, value in state.items()
            if name.startswith("features.")
        }
        network.get_submodule("features").load_state_dict(features)
    except (RuntimeError, AttributeError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{backbone} is not a checkpoint of this backbone: give one with the tensors "
            "features.* as torchvision names them"
        ) from error
