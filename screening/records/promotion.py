"""Who becomes champion, who comes back, who scores beside: each one act, with its audit.

An act changes who scores what comes from then on. No score and no verdict is touched by it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from screening.domain.account import Actor
from screening.domain.appointment import Act, Judge, Standing
from screening.errors import AppointmentChangedError, AppointmentError
from screening.records import audit
from screening.records.appointments import append_act, read_acts
from screening.records.known_models import (
    count_scored,
    find_models,
    other_weights,
    read_standing,
)

LEAST_SCORED = 200
"""Images that a model scores here before it may become champion: of so many a share of flags is
known to some six percentage points either way."""

LONGEST_WHY = 500
"""Characters."""

_EVENTS = {
    Act.PROMOTION: audit.Event.MODEL_PROMOTED,
    Act.ROLLBACK: audit.Event.MODEL_ROLLED_BACK,
    Act.SHADOW: audit.Event.SHADOW_APPOINTED,
}


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants it, why and when.

    Attributes
    ----------
    actor
        Who; for the audit.
    why
        Not empty, at most 500 characters.
    now
        UTC.
    seen
        Number of the act that was the newest when they looked; ``None`` for any.
    anyway
        Whether a model may be appointed that has scored too few images here.
    """

    actor: Actor
    why: str
    now: dt.datetime
    seen: int | None = None
    anyway: bool = False


def choose_model(session: Session, name: str, version: str | None = None) -> Judge:
    """Return the one model of a name that the records know.

    Raises
    ------
    AppointmentError
        If they know none, or several.
    """
    found = find_models(session, name, version)
    if not found:
        called = f"{name} {version}" if version else name
        raise AppointmentError(
            f"no model {called} has scored here: let it score as the shadow first"
        )
    if len(found) > 1:
        versions = ", ".join(sorted({each.identity.version for each in found}))
        raise AppointmentError(f"there are several models {name}: say which version, {versions}")
    return found[0]


def promote(session: Session, model: Judge, order: Order) -> tuple[Standing, bool]:
    """Make a model champion; where it was the shadow, the champion becomes the shadow.

    Parameters
    ----------
    session
        An open transaction that writes.

    Returns
    -------
    Standing
        Who holds the roles.
    bool
        Whether it changed: a model that is champion already stays so, and nothing is recorded.

    Raises
    ------
    AppointmentChangedError
        If somebody has appointed a model since they looked.
    AppointmentError
        If it has scored too few images, or its version was used for other weights.
    """
    before = _begin(session, order)
    if before.champion is None:
        raise AppointmentError(
            "nothing is scored yet, so there is no champion to replace: name the first model in "
            "NIGHTREAD_MODEL"
        )
    if before.champion.identity == model.identity:
        return before, False
    _require_seen(before, order)
    _require_own_version(session, model)
    scored = count_scored(session, model.identity, LEAST_SCORED)
    if scored < LEAST_SCORED and not order.anyway:
        raise AppointmentError(
            f"{model} has scored {scored} images here and must have scored {LEAST_SCORED}: let it "
            "go on as the shadow, or say that you want it anyway"
        )
    detail = f", anyway: it has scored {scored} images" if scored < LEAST_SCORED else ""
    return _act(session, Act.PROMOTION, before, before.with_champion(model), order, detail), True


def roll_back(session: Session, order: Order) -> Standing:
    """Make the champion of before champion again.

    Raises
    ------
    AppointmentChangedError
        If somebody has appointed a model since they looked.
    AppointmentError
        If there was none before, or the last change of champion was such a return: to return
        twice would be to leave again.
    """
    before = _begin(session, order)
    _require_seen(before, order)
    acts = read_acts(session, limit=10_000)
    made = next((act for act in acts if act.act in (Act.PROMOTION, Act.ROLLBACK)), None)
    if made is None:
        raise AppointmentError("no model was ever promoted: there is none to go back to")
    if made.act is Act.ROLLBACK:
        raise AppointmentError(
            f"{made.champion} is back already, since {made.at:%Y-%m-%d %H:%M} UTC by {made.by}: "
            "promote another by its name if that is what you want"
        )
    earlier = next(act for act in acts if act.number < made.number)
    assert earlier.champion is not None, "a promotion replaces somebody"
    returning = earlier.champion
    return _act(session, Act.ROLLBACK, before, before.with_champion(returning), order)


def appoint_shadow(session: Session, model: Judge | None, order: Order) -> tuple[Standing, bool]:
    """Have a model score beside the champion; ``None``: nobody.

    Returns
    -------
    Standing
        Who holds the roles.
    bool
        Whether it changed.

    Raises
    ------
    AppointmentChangedError
        If somebody has appointed a model since they looked.
    AppointmentError
        If it is the champion, nothing is scored yet, or its version was used for other weights.
    """
    before = _begin(session, order)
    if before.champion is None:
        raise AppointmentError(
            "nothing is scored yet: name the first shadow in NIGHTREAD_SHADOW_MODEL"
        )
    if model is not None and model.identity == before.champion.identity:
        raise AppointmentError(f"{model} is the champion: it cannot be its own shadow")
    was = before.shadow.identity if before.shadow else None
    if before.number and was == (model.identity if model else None):
        return before, False
    _require_seen(before, order)
    if model is not None:
        _require_own_version(session, model)
    return _act(session, Act.SHADOW, before, (before.champion, model), order), True


def _begin(session: Session, order: Order) -> Standing:
    if not 0 < len(order.why.strip()) <= LONGEST_WHY or "\0" in order.why:
        raise AppointmentError(f"say why, in at most {LONGEST_WHY} characters")
    return read_standing(session)


def _require_seen(before: Standing, order: Order) -> None:
    if order.seen is not None and order.seen != before.number:
        raise AppointmentChangedError(
            f"{before.champion} is champion by now, appointed by {before.by}: look at the models "
            "first"
        )


def _require_own_version(session: Session, model: Judge) -> None:
    """Refuse a version that others' scores are filed under: its own would not be kept."""
    other = other_weights(session, model.identity)
    if other is not None:
        raise AppointmentError(
            f"other weights (SHA-256 {other[:12]}...) have scored here as {model}: give this "
            "bundle a version of its own"
        )


def _act(
    session: Session,
    act: Act,
    before: Standing,
    holders: tuple[Judge, Judge | None],
    order: Order,
    detail: str = "",
) -> Standing:
    who, why = order.actor, order.why.strip()
    number = before.number
    if not number:
        number = 1
        append_act(
            session,
            number,
            Act.BEGINNING,
            (before.champion, before.shadow),
            at=order.now,
            by="the settings",
            why="",
        )
    made = append_act(session, number + 1, act, holders, at=order.now, by=who.name, why=why)
    said = f"{act.value} {made.number}: champion {_told(before.champion, made.champion)}, "
    said += f"shadow {_told(before.shadow, made.shadow)}{detail}: {why}"
    audit.note(session, who, _EVENTS[act], order.now, detail=said)
    return made


def _told(before: Judge | None, after: Judge | None) -> str:
    if before == after:
        return _named(after)
    return f"{_named(before)} -> {_named(after)}"


def _named(judge: Judge | None) -> str:
    return f"{judge} ({judge.identity.digest[:12]})" if judge is not None else "none"
