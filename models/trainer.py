"""The training loop: epochs over the train split, readings of the validation split."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.dataset import LabelledRadiograph, read_pixels, unit_range
from models.epoch_report import EpochReport
from models.initialisation import initial_network
from models.loss import training_loss
from models.optimisation import Cycle, Schedule, build_optimiser
from models.reading import Reading, read_batch
from models.recipe import Recipe
from models.sampling import Batch, Sampler
from models.transforms import Preparation
from screening.errors import TrainingError

_VALIDATION_BATCH = 16


class Trainer:
    """One training: the network, its optimiser, its data, and where it stands.

    It runs on a GPU where PyTorch finds one, else on the processor.

    Parameters
    ----------
    recipe
        Every choice.
    train, validation
        The two splits.
    start
        Weights to start from where the recipe asks for some: a checkpoint or a bundle.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Sequence[LabelledRadiograph],
        validation: Sequence[LabelledRadiograph],
        start: Path | None,
    ) -> None:
        self.recipe = recipe
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(recipe.seed)
        self.network = initial_network(recipe, start)
        # Convolutions are faster so; the signature of Module.to leaves the argument out.
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        blocks: list[nn.Module] = self.network.blocks()  # type: ignore[operator]  # each has them
        self._frozen = blocks[: recipe.optimisation.frozen_blocks]
        for block in self._frozen:
            block.requires_grad_(False)
        self.sampler = Sampler(recipe, train)
        self._labels = [row.fractured for row in validation]
        prepare = Preparation.of(recipe.input)
        self._validation = [prepare(unit_range(read_pixels(row.path))) for row in validation]
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
        chosen = self.recipe.optimisation
        self.optimiser = build_optimiser(chosen, cycle, self.network.parameters())
        self.schedule = Schedule(chosen, cycle, self.optimiser, len(self.sampler.order(0)))

    def run_epoch(self, epoch: int, on_step: Callable[[int, int], None]) -> EpochReport:
        """Train one epoch, counted from 0, and validate what came of it."""
        started = time.monotonic()
        loss = self._train(epoch, on_step)
        auc, validation_loss = self._judge(self.validate())
        rate = self.schedule.rate
        self.schedule.end_epoch(validation_loss)
        return EpochReport(
            epoch=epoch + 1,
            epochs=self.recipe.optimisation.epochs,
            loss=loss,
            validation_auc=auc,
            seconds=time.monotonic() - started,
            best=False,
            validation_loss=validation_loss,
            learning_rate=rate,
        )

    def _train(self, epoch: int, on_step: Callable[[int, int], None]) -> float:
        cycle = self.recipe.optimisation.beginning(epoch)
        if epoch and cycle is not None:
            # The average of the weights is better than any of them: go on from there.
            self.network.load_state_dict(self.averaged.module.state_dict())
            self._begin(cycle)
        torch.manual_seed(self.recipe.seed * 1000 + epoch)  # dropout
        self.network.train()
        for block in self._frozen:
            block.eval()
        losses = []
        total = len(self.sampler.order(epoch))
        for step, batch in enumerate(self.sampler.batches(epoch), start=1):
            losses.append(self._step(batch))
            on_step(step, total)
        return float(np.mean(losses))

    def _step(self, batch: Batch) -> float:
        device = self.device
        with self._precision():
            logits = self.network(batch.images.to(device))
        loss = training_loss(
            logits, batch.labels.to(device), batch.cells.to(device), self.recipe.loss
        )
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

    def _precision(self) -> torch.autocast:
        reduced = self.recipe.optimisation.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=reduced)

    def validate(self) -> list[Reading]:
        """Read the validation split with the averaged weights."""
        self.averaged.eval()
        readings: list[Reading] = []
        for at in range(0, len(self._validation), _VALIDATION_BATCH):
            images = self._validation[at : at + _VALIDATION_BATCH]
            with self._precision():
                readings += read_batch(
                    self.averaged,
                    images,
                    self.recipe.loss.top_share,
                    self.recipe.input.orientations,
                )
        return readings

    def _judge(self, readings: Sequence[Reading]) -> tuple[float, float]:
        """Return the validation's AUC (of both scores) and loss (of the image's own)."""
        both = np.array([reading.image + reading.top for reading in readings])
        own = np.array([reading.image for reading in readings])
        probabilities = 1 / (1 + np.exp(-np.clip(own, -30, 30)))
        return float(roc_auc_score(self._labels, both)), float(
            log_loss(self._labels, probabilities)
        )

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def restore(self, state: dict[str, Any], epochs: int) -> None:
        """Go back to the state that :meth:`state` gave after so many epochs."""
        done = 0
        for cycle in self.recipe.optimisation.cycles:
            if done < epochs:
                self._begin(cycle)
            done += cycle.epochs
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
