"""How a training moves: the optimiser, the schedule of its learning rate, what an epoch shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

OPTIMISERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one_cycle", "constant", "plateau")
KEPT = ("best", "last")
SAMPLINGS = ("drawn", "all")
PRECISIONS = ("bfloat16", "float32")
# Far beyond all use; far more than this is no float32 any longer.
_FASTEST = 10


@dataclass(frozen=True, slots=True)
class Cycle:
    """So many epochs at so high a learning rate; the schedule says how it moves within them."""

    epochs: int
    learning_rate: float

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 < self.learning_rate <= _FASTEST:
            raise ValueError(
                f"epochs must be at least 1 and learning_rate positive, at most {_FASTEST}"
            )


@dataclass(frozen=True, slots=True)
class OptimisationSettings:
    """How long, how fast, and on how many.

    Attributes
    ----------
    cycles
        One after the other; each goes on from the averaged weights of the one before.
    optimiser
        ``"adamw"``, ``"adam"`` or ``"sgd"``.
    momentum
        Of ``"sgd"``, in [0, 1).
    weight_decay
        An L2 penalty; with ``"adamw"`` decoupled from the gradient.
    schedule
        ``"one_cycle"``: a rise and a fall as long as the cycle (Smith and Topin,
        *Super-convergence*, 2019, arXiv:1708.07120). ``"plateau"``: lowered when the validation
        loss no longer falls. ``"constant"``: as it is.
    plateau_factor, plateau_patience
        By what the rate is multiplied, after how many epochs without a lower validation loss.
    patience
        Epochs without a lower validation loss after which the training ends; 0 for never.
    keep
        ``"best"``: the weights of the epoch with the highest validation AUC. ``"last"``: those of
        the last; where the rate has fallen to nothing, the best of ten is mostly the luckiest.
    batch
        Images of a step.
    sampling
        What an epoch shows. ``"all"``: every row once. ``"drawn"``: every fracture, and
        ``normals_per_fracture`` times as many normals, drawn afresh.
    normals_per_fracture
        For ``"drawn"``; 1 makes the classes equal.
    average_decay
        Of the running average of the weights that is validated and kept, per step, in [0, 1);
        0 for the weights themselves.
    precision
        ``"bfloat16"`` (of the forward pass, where it is safe) or ``"float32"``.
    frozen_blocks
        So many of the network's first blocks learn nothing and keep their batch statistics.
    """

    cycles: tuple[Cycle, ...] = (Cycle(10, 4e-4),)
    optimiser: str = "adamw"
    momentum: float = 0.9
    weight_decay: float = 0.02
    schedule: str = "one_cycle"
    plateau_factor: float = 0.1
    plateau_patience: int = 5
    patience: int = 0
    keep: str = "best"
    batch: int = 16
    sampling: str = "drawn"
    normals_per_fracture: float = 2.0
    average_decay: float = 0.99
    precision: str = "bfloat16"
    frozen_blocks: int = 0

    def __post_init__(self) -> None:
        if not self.cycles or self.batch < 2:
            raise ValueError("there must be at least one cycle, and batch must be at least 2")
        if not (self.normals_per_fracture > 0 and 0 <= self.weight_decay <= _FASTEST):
            raise ValueError(
                f"normals_per_fracture must be positive, weight_decay in [0, {_FASTEST}]"
            )
        if not (0 <= self.average_decay < 1 and 0 <= self.momentum < 1):
            raise ValueError("average_decay and momentum must lie in [0, 1)")
        if min(self.patience, self.plateau_patience, self.frozen_blocks) < 0:
            raise ValueError("patience, plateau_patience and frozen_blocks must not be negative")
        if not 0 < self.plateau_factor < 1:
            raise ValueError("plateau_factor must lie between 0 and 1")
        _require("optimiser", self.optimiser, OPTIMISERS)
        _require("schedule", self.schedule, SCHEDULES)
        _require("keep", self.keep, KEPT)
        _require("sampling", self.sampling, SAMPLINGS)
        _require("precision", self.precision, PRECISIONS)

    @property
    def epochs(self) -> int:
        """Of all cycles together."""
        return sum(cycle.epochs for cycle in self.cycles)

    def beginning(self, epoch: int) -> Cycle | None:
        """Return the cycle that begins with this epoch, counted from 0, if one does."""
        starts = accumulate((cycle.epochs for cycle in self.cycles), initial=0)
        return dict(zip(starts, self.cycles, strict=False)).get(epoch)

    def exhausted(self, losses: list[float]) -> bool:
        """Tell whether the validation losses so far ask for an early stop."""
        if not self.patience or len(losses) <= self.patience:
            return False
        return min(losses[-self.patience :]) >= min(losses[: -self.patience])


def _require(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}")


def build_optimiser(
    settings: OptimisationSettings, cycle: Cycle, weights: Iterable[nn.Parameter]
) -> Optimizer:
    """Build the optimiser of one cycle over the weights that learn."""
    learning = [weight for weight in weights if weight.requires_grad]
    rate, decay = cycle.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(learning, rate, settings.momentum, weight_decay=decay)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(learning, rate, weight_decay=decay)


class Schedule:
    """The learning rate of one cycle: told of each step and of each epoch's validation.

    Parameters
    ----------
    settings, cycle
        Which schedule, and how long.
    optimiser
        Whose rate it sets.
    steps
        Of an epoch.
    """

    def __init__(
        self, settings: OptimisationSettings, cycle: Cycle, optimiser: Optimizer, steps: int
    ) -> None:
        self._optimiser = optimiser
        self._by_step: LRScheduler | None = None
        self._by_epoch: ReduceLROnPlateau | None = None
        if settings.schedule == "one_cycle":
            self._by_step = OneCycleLR(optimiser, cycle.learning_rate, cycle.epochs * steps)
        elif settings.schedule == "plateau":
            self._by_epoch = ReduceLROnPlateau(
                optimiser, "min", settings.plateau_factor, settings.plateau_patience
            )
        else:
            self._by_step = ConstantLR(optimiser, factor=1.0, total_iters=1)

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(self._optimiser.param_groups[0]["lr"])

    def step(self) -> None:
        """Go on after a batch."""
        if self._by_step is not None:
            self._by_step.step()

    def end_epoch(self, validation_loss: float) -> None:
        """Go on after an epoch."""
        if self._by_epoch is not None:
            self._by_epoch.step(validation_loss)

    def state_dict(self) -> dict[str, object]:
        """Return where it stands."""
        kept: dict[str, object] = (self._by_step or self._by_epoch).state_dict()  # type: ignore[union-attr]
        return kept

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go back to where it stood."""
        (self._by_step or self._by_epoch).load_state_dict(state)  # type: ignore[union-attr]
