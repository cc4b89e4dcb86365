"""How long pixels are kept: rules by verdict, review and age, and what holds them back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from screening.domain.counted import counted
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict


class Hindrance(StrEnum):
    """Why the pixels of a study stay though its time is over. In this order: the first is named."""

    ON_HOLD = "on_hold"
    WAITING = "waiting"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    IN_BATCH = "in_batch"
    OTHER_PATIENT = "other_patient"
    SHARED = "shared"
    MISSING = "missing"

    @property
    def sentence(self) -> str:
        """In words, with what to do where something can be done."""
        return _SENTENCES[self]


_SENTENCES = {
    Hindrance.ON_HOLD: "on hold: nightread hold lists who wants them, and why",
    Hindrance.WAITING: "an image waits for its score",
    Hindrance.FAILED: "an image failed at every attempt: nightread retry",
    Hindrance.UNDELIVERED: "results have not arrived: nightread deliveries",
    Hindrance.IN_BATCH: "in a batch that has not ended: nightread batch list",
    Hindrance.OTHER_PATIENT: ("came again for another patient: nightread patient pending lists it"),
    Hindrance.SHARED: "the same bytes are another study's, which is kept",
    Hindrance.MISSING: "the file is not in the archive: nightread verify",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How long the pixels of some studies are kept.

    Attributes
    ----------
    name
        For people, and on record beside what it removed.
    keep_days
        From the last image, other bytes under its UIDs, or review on; ``None`` for ever.
    verdicts
        Of which studies; of all if empty.
    reviews
        Of studies with these opinions, ``None`` for those without a review; of all if empty.
    """

    name: str
    keep_days: int | None
    verdicts: frozenset[Verdict] = frozenset()
    reviews: frozenset[Opinion | None] = frozenset()

    def is_for(self, verdict: Verdict, opinion: Opinion | None) -> bool:
        """Say whether it speaks of a study."""
        by_verdict = not self.verdicts or verdict in self.verdicts
        return by_verdict and (not self.reviews or opinion in self.reviews)

    def is_over(self, since: dt.datetime, now: dt.datetime) -> bool:
        """Say whether the pixels have been kept for long enough."""
        return self.keep_days is not None and since <= now - dt.timedelta(days=self.keep_days)

    def __str__(self) -> str:
        days = "for ever" if self.keep_days is None else f"for {counted(self.keep_days, 'day')}"
        return f"{self.name}: {days}"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a site. Without any everything is kept.

    Attributes
    ----------
    rules
        In any order: of those that speak of a study the longest holds.
    digest
        SHA-256 of the file that they stand in, by which the audit names it; empty without one.
    """

    rules: Sequence[Rule] = ()
    digest: str = ""

    @property
    def shortest_days(self) -> int | None:
        """Days before which no rule lets anything go; ``None`` if none ever does."""
        return min((each.keep_days for each in self.rules if each.keep_days), default=None)

    def rule_for(self, verdict: Verdict, opinion: Opinion | None) -> Rule | None:
        """Return the rule that holds for a study; ``None`` if none speaks of it: it is kept."""
        found = [each for each in self.rules if each.is_for(verdict, opinion)]
        return max(found, key=_length, default=None)


def _length(rule: Rule) -> float:
    return float("inf") if rule.keep_days is None else rule.keep_days


@dataclass(frozen=True, slots=True)
class Removal:
    """That pixels were removed on purpose: when that was decided, and by which rule."""

    at: dt.datetime
    rule: str

    def __str__(self) -> str:
        return f"pixels removed on {self.at:%Y-%m-%d} by rule {self.rule}"
