"""Which model's word counts, the champion's, and which one scores beside it, the shadow."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints


class ModelRole(StrEnum):
    """What a model is appointed to."""

    CHAMPION = "champion"
    SHADOW = "shadow"


class Act(StrEnum):
    """What somebody did; ``beginning`` is what was at work when the first act was done."""

    BEGINNING = "beginning"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Judge:
    """A model and the points that it judges by."""

    identity: ModelIdentity
    points: OperatingPoints

    def __str__(self) -> str:
        return f"{self.identity.name} {self.identity.version}"


@dataclass(frozen=True, slots=True)
class Appointed:
    """Who is to score, as a worker needs to know it.

    Attributes
    ----------
    champion
        ``None`` where nobody was ever appointed: then a worker's settings decide, for both.
    shadow
        ``None`` for none.
    """

    champion: ModelIdentity | None = None
    shadow: ModelIdentity | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Who holds the roles after an act.

    Attributes
    ----------
    number
        Of the act, from 1; 0 where nobody was ever appointed: these are the models behind the
        newest scores then.
    act
        What it was; ``None`` where there was none.
    champion, shadow
        ``None`` where nobody is known.
    at, by, why
        When, UTC, who and for what reason; empty where there was no act.
    """

    number: int = 0
    act: Act | None = None
    champion: Judge | None = None
    shadow: Judge | None = None
    at: dt.datetime | None = None
    by: str = ""
    why: str = ""

    def with_champion(self, model: Judge) -> tuple[Judge, Judge | None]:
        """Return who holds the roles with another champion.

        It swaps with its predecessor where it was the shadow; else the shadow stays.
        """
        was_shadow = self.shadow is not None and self.shadow.identity == model.identity
        return model, self.champion if was_shadow else self.shadow
