"""Champion and shadow, as the page, REST and the console all have them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from screening.domain.appointment import Act, Judge, Standing
from screening.domain.side_by_side import SideBySide, compare
from screening.errors import AppointmentChangedError, AppointmentError
from screening.records.agreement import reviewed_cases
from screening.records.appointments import read_acts
from screening.records.engine import Records
from screening.records.known_models import count_scored, first_score, read_standing
from screening.records.pairs import read_pairs
from screening.records.promotion import LEAST_SCORED, Order, choose_model, promote, roll_back
from worklist.desk import Desk
from worklist.refusal import RefusalError
from worklist.visitor import Visitor

MOST_IMAGES = 20_000
"""The newest, that two models are compared on."""


@dataclass(frozen=True, slots=True)
class Models:
    """Who holds the roles, since when, and what both make of the same images.

    Attributes
    ----------
    standing
        Who holds the roles.
    champion_since, shadow_since
        When each gave its first score here, UTC; ``None`` before it.
    shadow_scored
        Images that the shadow has scored; counted up to as many as a promotion needs.
    least_scored
        How many that is.
    comparison
        ``None`` without a shadow.
    acts
        Who held the roles after each act, the newest first.
    """

    standing: Standing
    champion_since: dt.datetime | None
    shadow_since: dt.datetime | None
    shadow_scored: int
    least_scored: int
    comparison: SideBySide | None
    acts: tuple[Standing, ...]

    @property
    def is_tried(self) -> bool:
        """Whether the shadow has scored enough to become champion."""
        return self.shadow_scored >= self.least_scored

    @property
    def returnee(self) -> Judge | None:
        """Who would be champion again if the last promotion was taken back."""
        made = next((act for act in self.acts if act.act in _CHANGES), None)
        if made is None or made.act is not Act.PROMOTION:
            return None
        return next((act.champion for act in self.acts if act.number < made.number), None)


_CHANGES = (Act.PROMOTION, Act.ROLLBACK)


def read_models(records: Records) -> Models:
    """Return who holds the roles, and how they compare on the newest images of both."""
    with records.read() as session:
        standing = read_standing(session)
        champion, shadow = standing.champion, standing.shadow
        comparison = None
        if champion is not None and shadow is not None:
            pairs = read_pairs(session, champion.identity, shadow.identity, MOST_IMAGES)
            comparison = compare(champion, shadow, pairs, reviewed_cases(session))
        return Models(
            standing=standing,
            champion_since=first_score(session, champion.identity) if champion else None,
            shadow_since=first_score(session, shadow.identity) if shadow else None,
            shadow_scored=count_scored(session, shadow.identity, LEAST_SCORED) if shadow else 0,
            least_scored=LEAST_SCORED,
            comparison=comparison,
            acts=tuple(read_acts(session)),
        )


def promote_model(
    desk: Desk,
    visitor: Visitor,
    model: tuple[str, str, str | None],
    *,
    why: str,
    seen: int | None,
    anyway: bool,
) -> bool:
    """Make a model that has scored here champion, and say whether that changed anything.

    Parameters
    ----------
    model
        Its name, its version and, where somebody insists on them, the SHA-256 of its weights.

    Raises
    ------
    RefusalError
        400 if it cannot be, 409 if somebody has appointed a model since they looked.
    """
    name, version, digest = model
    order = Order(visitor.actor, why, desk.clock(), seen, anyway)
    try:
        with desk.records.begin() as session:
            chosen = choose_model(session, name, version)
            if digest is not None and chosen.identity.digest != digest:
                raise AppointmentError(f"{chosen} has other weights here than those")
            return promote(session, chosen, order)[1]
    except AppointmentChangedError as error:
        raise RefusalError(409, str(error)) from None
    except AppointmentError as error:
        raise RefusalError(400, str(error)) from None


def take_back(desk: Desk, visitor: Visitor, *, why: str, seen: int | None) -> None:
    """Make the champion of before champion again.

    Raises
    ------
    RefusalError
        400 if there is none, 409 if somebody has appointed a model since they looked.
    """
    try:
        with desk.records.begin() as session:
            roll_back(session, Order(visitor.actor, why, desk.clock(), seen))
    except AppointmentChangedError as error:
        raise RefusalError(409, str(error)) from None
    except AppointmentError as error:
        raise RefusalError(400, str(error)) from None
