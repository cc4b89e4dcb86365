"""A recipe: every choice of a training, read from a TOML file and checked at the start."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.augmentation import AugmentationSettings
from models.input_settings import InputSettings
from screening.errors import TrainingError

_Section = TypeVar("_Section")
_SHIPPED = Path(__file__).parent / "recipes"
_INITIAL = ("backbone", "bundle", "random")
_PRECISION = ("bfloat16", "float32")


@dataclass(frozen=True, slots=True)
class Cycle:
    """A rise and a fall of the learning rate, as long as ``epochs``, as high as ``learning_rate``.

    Smith and Topin, *Super-convergence* (2019, arXiv:1708.07120).
    """

    epochs: int
    learning_rate: float

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.learning_rate <= 0:
            raise ValueError("epochs must be at least 1 and learning_rate positive")


@dataclass(frozen=True, slots=True)
class OptimisationSettings:
    """How long, how fast, and on how many: the comments of the shipped recipe say what each is."""

    cycles: tuple[Cycle, ...] = (Cycle(10, 4e-4),)
    batch: int = 16
    weight_decay: float = 0.02
    normals_per_fracture: float = 2.0
    average_decay: float = 0.99
    precision: str = "bfloat16"
    frozen_blocks: int = 0

    def __post_init__(self) -> None:
        if not self.cycles or self.batch < 2:
            raise ValueError("there must be at least one cycle, and batch must be at least 2")
        if self.normals_per_fracture <= 0:
            raise ValueError("normals_per_fracture must be positive")
        if not 0 <= self.average_decay < 1:
            raise ValueError("average_decay must lie in [0, 1)")
        if self.precision not in _PRECISION:
            raise ValueError(f"precision must be one of {', '.join(_PRECISION)}")

    @property
    def epochs(self) -> int:
        """Of all cycles together."""
        return sum(cycle.epochs for cycle in self.cycles)

    def beginning(self, epoch: int) -> Cycle | None:
        """Return the cycle that begins with this epoch, counted from 0, if one does."""
        starts = accumulate((cycle.epochs for cycle in self.cycles), initial=0)
        return dict(zip(starts, self.cycles, strict=False)).get(epoch)


@dataclass(frozen=True, slots=True)
class LossSettings:
    """Weights of the loss's parts beside the image's own, which weighs 1."""

    top_share: float = 0.01
    top_weight: float = 0.5
    cells_weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.top_share <= 1:
            raise ValueError("top_share must lie in (0, 1]")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a person must know of a model, for its metadata and its card; the recipe's ``card``.

    Attributes
    ----------
    description, intended_use, data_source
        A sentence or a few.
    authors, copyright
        Of the weights.
    references
        Papers to cite, one per entry.
    limits
        What the model has never seen and must not be trusted with, one per entry.
    """

    description: str = "A classifier of fractures in radiographs."
    authors: str = "not stated"
    copyright: str = "not stated"
    intended_use: str = "Research. Not a diagnostic device."
    data_source: str = "not stated"
    references: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("references", "limits"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice of a training.

    Attributes
    ----------
    name
        Of the bundle that it makes: letters, digits, ``-`` and ``_``.
    network
        Dotted name of the network's class, on :data:`models.networks.registry.NETWORKS`.
    network_arguments
        For its constructor.
    seed
        Of every random draw: the same recipe, data and machine give the same weights.
    initial
        ``"backbone"`` (ImageNet weights of the features), ``"bundle"`` (another training's weights,
        all of them) or ``"random"``.
    card
        What the bundle says of itself; it changes no weight.
    """

    name: str
    network: str
    seed: int = 0
    initial: str = "backbone"
    network_arguments: dict[str, Any] = field(default_factory=dict)
    input: InputSettings = field(default_factory=InputSettings)
    optimisation: OptimisationSettings = field(default_factory=OptimisationSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    card: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError("name must be made of letters, digits, - and _")
        if self.initial not in _INITIAL:
            raise ValueError(f"initial must be one of {', '.join(_INITIAL)}")

    def as_dict(self) -> dict[str, Any]:
        """Return, as plain values, everything that the weights depend on."""
        values = dataclasses.asdict(self)
        del values["card"]
        return values


def list_recipes() -> list[str]:
    """Return the names of the recipes that ship with Nightread."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def read_recipe(reference: str | Path) -> Recipe:
    """Read a recipe by the name of a shipped one, or from a file.

    Raises
    ------
    TrainingError
        If there is no such recipe, or something in it is unknown, missing or out of range.
    """
    path = _SHIPPED / f"{reference}.toml" if str(reference) in list_recipes() else Path(reference)
    if not path.is_file():
        raise TrainingError(
            f"no recipe {reference}: give a TOML file, or one of {', '.join(list_recipes())}"
        )
    try:
        return _recipe(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([error.title, *map(str, first["loc"])])
        raise TrainingError(f"recipe {path}: {where}: {first['msg']}; correct it") from error
    except ValueError as error:
        raise TrainingError(f"recipe {path}: {error}; correct it") from error


def _recipe(values: dict[str, Any]) -> Recipe:
    sections: dict[str, type] = {
        "input": InputSettings,
        "optimisation": OptimisationSettings,
        "loss": LossSettings,
        "augmentation": AugmentationSettings,
        "card": Provenance,
    }
    for name, kind in sections.items():
        values[name] = _section(kind, name, values.get(name, {}))
    return _section(Recipe, "the recipe", values)


def _section(kind: type[_Section], name: str, values: object) -> _Section:
    if not isinstance(values, dict):
        raise ValueError(f"{name} is a section of its own, [{name}], and no value")
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{name} has no setting {', '.join(unknown)}; known: {sorted(known)}")
    return TypeAdapter(kind).validate_python(values)
