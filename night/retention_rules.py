"""How long pixels are kept here: a file of rules, checked as a whole."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pacs.tables import read_tables
from screening.domain.retention import Policy, Rule
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict
from screening.errors import SettingsError

_SETTING = "NIGHTREAD_RETENTION_FILE"
_LONGEST_DAYS = 36500
_KEPT_VERDICTS = [each.value for each in Verdict if each is not Verdict.WAITING]


class RuleTable(BaseModel):
    """A rule, as it stands in the file.

    Attributes
    ----------
    name
        For people, and on record beside what it removed.
    keep_days
        For how long after the last image or review pixels are kept; ``forever`` for ever.
    verdicts
        Of which studies; of all if left out. A study that waits is kept in any case.
    reviews
        Of studies whose review is one of these, ``none`` for those without one; of all if left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    keep_days: int | Literal["forever"]
    verdicts: Annotated[tuple[Verdict, ...], Field(min_length=1)] | None = None
    reviews: Annotated[tuple[Opinion | Literal["none"], ...], Field(min_length=1)] | None = None

    @field_validator("keep_days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        is_days = isinstance(value, int) and not isinstance(value, bool)
        if value != "forever" and not (is_days and 1 <= value <= _LONGEST_DAYS):
            raise ValueError(f'{value!r} is not a number of days from 1 on, or "forever"')
        return value

    @field_validator("verdicts", mode="before")
    @classmethod
    def _verdicts(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        return _of(value, _KEPT_VERDICTS)

    @field_validator("reviews", mode="before")
    @classmethod
    def _reviews(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        return _of(value, [*(each.value for each in Opinion), "none"])

    def rule(self) -> Rule:
        """Return the rule."""
        return Rule(
            self.name,
            None if self.keep_days == "forever" else self.keep_days,
            frozenset(self.verdicts or ()),
            frozenset(None if each == "none" else each for each in self.reviews or ()),
        )


def _of(value: Any, allowed: list[str]) -> Any:  # noqa: ANN401 - whatever the file holds
    """Refuse what is no list of some words, in words that say which."""
    if not isinstance(value, list) or not value or any(each not in allowed for each in value):
        raise ValueError(f"{value!r} is not a list of {', '.join(allowed)}")
    return value


class Retention(BaseModel):
    """All of the file.

    Attributes
    ----------
    rule
        The rules; of those that speak of a study the longest holds, and without one it is kept.
    begins
        When what is due goes by itself, as cron says it; empty: only when somebody runs it.
    timezone
        Of that, as ``Europe/Berlin``.
    when_low
        Whether what is due goes, the oldest first, while the disk is low.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: tuple[RuleTable, ...] = ()
    begins: str = ""
    timezone: str = "UTC"
    when_low: bool = False

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value}: name one as Europe/Berlin") from None
        return value

    @field_validator("begins")
    @classmethod
    def _cron(cls, value: str) -> str:
        # Only who has a schedule needs what the night is installed with.
        from cronsim import CronSim, CronSimError

        try:
            CronSim(value, dt.datetime(2026, 1, 1))
        except CronSimError as error:
            raise ValueError(f"{value!r} is nothing that cron knows: {error}") from None
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Retention:
        names = [each.name for each in self.rule]
        if len(set(names)) < len(names):
            raise ValueError("each rule needs a name of its own")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Of its schedule."""
        return ZoneInfo(self.timezone)


def read_retention(file: Path | None) -> tuple[Retention, Policy]:
    """Read the file of rules; without one everything is kept.

    Raises
    ------
    SettingsError
        If it cannot be read, or something in it cannot be meant; the message says what and why.
    """
    if file is None:
        return Retention(), Policy()
    found = read_tables(file, _SETTING, Retention)
    if not found.rule:
        raise SettingsError(f"{_SETTING}={file} has no rule: docs/keeping.md has examples")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return found, Policy(tuple(each.rule() for each in found.rule), digest)
