"""Signing in: sessions of browsers, links that sign in once, and failures that add up."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from screening.domain.account import Role, User
from screening.domain.secret import digest_of
from screening.records.desk_schema import SignInFailureRow, SignInLinkRow, UserRow, WebSessionRow

MOST_FAILURES_OF_A_NAME = 5
MOST_FAILURES_OF_AN_ADDRESS = 20
FAILURES_COUNT_FOR = dt.timedelta(minutes=15)
"""Further sign-ins under a name, or from an address, are refused so long."""

SEEN_EVERY = dt.timedelta(minutes=1)
"""How often a session that is in use is prolonged."""


@dataclass(frozen=True, slots=True)
class WebSession:
    """Somebody signed in.

    Attributes
    ----------
    row
        Of the session.
    user
        Whose it is.
    form_secret
        What their forms must repeat.
    seen_at
        When it was last prolonged.
    """

    row: int
    user: User
    form_secret: str
    seen_at: dt.datetime


def must_wait(session: Session, name: str, address: str, now: dt.datetime) -> bool:
    """Say whether too many sign-ins failed lately, under this name or from this address."""
    since = SignInFailureRow.at > now - FAILURES_COUNT_FOR
    count = select(func.count()).select_from(SignInFailureRow)
    of_name = session.scalar(count.where(SignInFailureRow.name == name, since)) or 0
    of_address = session.scalar(count.where(SignInFailureRow.address == address, since)) or 0
    return of_name >= MOST_FAILURES_OF_A_NAME or of_address >= MOST_FAILURES_OF_AN_ADDRESS


def note_failure(session: Session, name: str, address: str, now: dt.datetime) -> None:
    """Remember that a sign-in failed, and forget those that count no more."""
    forgotten = SignInFailureRow.at < now - FAILURES_COUNT_FOR
    session.execute(delete(SignInFailureRow).where(forgotten))
    session.add(SignInFailureRow(name=name[:64], address=address, at=now))


def forget_failures(session: Session, name: str) -> None:
    """Forget a name's failures, since its owner signed in."""
    session.execute(delete(SignInFailureRow).where(SignInFailureRow.name == name))


def open_session(session: Session, user: User, address: str, now: dt.datetime) -> str:
    """Sign somebody in and return the secret of their cookie."""
    secret = secrets.token_urlsafe(32)
    session.add(
        WebSessionRow(
            digest=digest_of(secret),
            user_row=user.row,
            form_secret=secrets.token_urlsafe(32),
            address=address,
            opened_at=now,
            seen_at=now,
        )
    )
    return secret


def find_session(
    session: Session, secret: str, now: dt.datetime, idle: dt.timedelta, longest: dt.timedelta
) -> WebSession | None:
    """Return the session of a cookie, ``None`` where it has ended, was idle or is none of ours.

    Parameters
    ----------
    secret
        From the cookie.
    idle, longest
        After which it ends: without a request, and in any case.
    """
    found = session.execute(
        select(WebSessionRow, UserRow)
        .join(UserRow, UserRow.id == WebSessionRow.user_row)
        .where(
            WebSessionRow.digest == digest_of(secret),
            WebSessionRow.ended_at.is_(None),
            WebSessionRow.seen_at > now - idle,
            WebSessionRow.opened_at > now - longest,
            UserRow.disabled_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        return None
    row, user = found
    signed_in = User(user.id, user.name, Role(user.role))
    return WebSession(row.id, signed_in, row.form_secret, row.seen_at)


def note_seen(session: Session, row: int, now: dt.datetime) -> None:
    """Prolong a session, at most once a minute."""
    session.execute(
        update(WebSessionRow)
        .where(WebSessionRow.id == row, WebSessionRow.seen_at < now - SEEN_EVERY)
        .values(seen_at=now)
    )


def end_session(session: Session, row: int, now: dt.datetime) -> None:
    """Sign somebody out."""
    session.execute(update(WebSessionRow).where(WebSessionRow.id == row).values(ended_at=now))


def make_link(session: Session, user: User, now: dt.datetime, valid: dt.timedelta) -> str:
    """Return the secret of a link that signs a user in, once."""
    secret = secrets.token_urlsafe(32)
    session.add(SignInLinkRow(digest=digest_of(secret), user_row=user.row, expires_at=now + valid))
    return secret


def use_link(session: Session, secret: str, now: dt.datetime) -> User | None:
    """Return whom a link signs in, ``None`` where it was used, is too old or is none of ours."""
    row = session.scalar(
        update(SignInLinkRow)
        .where(
            SignInLinkRow.digest == digest_of(secret),
            SignInLinkRow.used_at.is_(None),
            SignInLinkRow.expires_at > now,
        )
        .values(used_at=now)
        .returning(SignInLinkRow.user_row)
    )
    if row is None:
        return None
    user = session.get(UserRow, row)
    assert user is not None
    return None if user.disabled_at else User(user.id, user.name, Role(user.role))
