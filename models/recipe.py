"""A recipe: every choice of a training, read from a TOML file and checked at the start."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.augmentation import AugmentationSettings
from models.input_settings import InputSettings
from models.optimisation import Cycle, OptimisationSettings
from screening.errors import TrainingError

__all__ = ["Cycle", "OptimisationSettings", "Recipe", "list_recipes", "read_recipe"]

_Section = TypeVar("_Section")
_SHIPPED = Path(__file__).parent / "recipes"
_INITIAL = ("backbone", "bundle", "random")


@dataclass(frozen=True, slots=True)
class LossSettings:
    """What the loss is made of; a network without a map has the image's own part alone.

    Attributes
    ----------
    top_share
        Share of the map's cells whose mean is the map's score, in (0, 1].
    top_weight, cells_weight
        Of the map's score and of its outlined cells, beside the image's own part, which weighs 1.
    fracture_weight
        How much more a fractured image weighs than another.
    label_smoothing
        How far the labels 0 and 1 are drawn together, in [0, 1).
    """

    top_share: float = 0.01
    top_weight: float = 0.5
    cells_weight: float = 0.5
    fracture_weight: float = 1.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if min(self.top_weight, self.cells_weight) < 0:
            raise ValueError("top_weight and cells_weight must not be negative")
        if self.fracture_weight <= 0 or not 0 <= self.label_smoothing < 1:
            raise ValueError("fracture_weight must be positive, label_smoothing in [0, 1)")
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
        if not 0 <= self.seed < 2**32:
            raise ValueError("seed must lie in [0, 2**32)")

    def as_dict(self) -> dict[str, Any]:
        """Return, as plain values, everything that the weights depend on."""
        values = dataclasses.asdict(self)
        del values["card"]
        return values


def list_recipes() -> list[str]:
    """Return the names of the recipes that ship with Nightread."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def name_recipe(reference: str | Path) -> str:
    """Return the shortest way to ask for a recipe again: a shipped one's name, else its file."""
    path = Path(reference)
    is_shipped = path.suffix == ".toml" and path.resolve().parent == _SHIPPED.resolve()
    return path.stem if is_shipped else str(reference)


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
        return _recipe(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=_finite))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([error.title, *map(str, first["loc"])])
        raise TrainingError(f"recipe {path}: {where}: {first['msg']}; correct it") from error
    except ValueError as error:
        raise TrainingError(f"recipe {path}: {error}; correct it") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


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
