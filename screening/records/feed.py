"""What the hospital's feed tells is done once, and is on record before it is acknowledged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.account import Actor
from screening.records.filing import Demographics
from screening.records.identities import merge
from screening.records.identity_schema import AdtMessageRow
from screening.records.surviving import Identifier, hold_identities

Pair = tuple[Identifier, Identifier]


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """A message that makes patients one.

    Attributes
    ----------
    application
        Who sent it, MSH-3 and MSH-4.
    control_id, digest
        MSH-10 and SHA-256 of the message: both the same, the same message.
    event
        ``A40`` or ``A47``.
    merges
        Old and new identifiers, with who survives as the message describes them.
    """

    application: str
    control_id: str
    digest: str
    event: str
    merges: Sequence[tuple[Pair, Demographics | None]]


def take_message(session: Session, message: FeedMessage, actor: Actor, now: dt.datetime) -> int:
    """Do what a message says, all of it or nothing; return how many changes it made.

    Raises
    ------
    IdentityError
        If it contradicts what was changed before.
    """
    hold_identities(session.connection())
    known = select(AdtMessageRow.id).where(
        AdtMessageRow.application == message.application,
        AdtMessageRow.control_id == message.control_id,
        AdtMessageRow.digest == message.digest,
    )
    if session.scalar(known) is not None:
        return 0
    why = f"ADT^{message.event}"
    made = [
        merge(session, *pair, actor, why, now, demographics=demographics)
        for pair, demographics in message.merges
    ]
    session.add(
        AdtMessageRow(
            application=message.application,
            control_id=message.control_id,
            digest=message.digest,
            event=message.event,
            taken_at=now,
        )
    )
    session.flush()
    return sum(change.is_new for change in made)
