"""What the authors of the published models claim, as a table of the project."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_CLAIMS = Path(__file__).parent / "claims.toml"


@dataclass(frozen=True, slots=True)
class Claim:
    """A published model and its figure, which is its authors' and not ours.

    Attributes
    ----------
    name
        Of the recipe that repeats it.
    title
        As a reader knows it.
    parameters
        As published, in words.
    input
        Side of its input in pixels.
    recipe, remark
        What is said of its training, and what else there is to say.
    accuracy
        Claimed on the published split, in per cent; ``None`` where none is.
    """

    name: str
    title: str
    parameters: str
    input: int
    recipe: str
    remark: str
    accuracy: float | None = None


def read_claims() -> tuple[Claim, ...]:
    """Return the claims in the order of the table."""
    tables = tomllib.loads(_CLAIMS.read_text(encoding="utf-8"))
    return tuple(Claim(name=name, **values) for name, values in tables.items())
