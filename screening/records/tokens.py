"""Tokens: keys of machines to the REST interface."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.domain.account import LONGEST_NAME, Role, is_name
from screening.domain.secret import digest_of
from screening.errors import AccountError
from screening.records.desk_schema import TokenRow


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's token, without its secret."""

    name: str
    role: Role
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


def add_token(
    session: Session, name: str, role: Role, now: dt.datetime, valid: dt.timedelta | None
) -> str:
    """Make a machine's token and return its secret.

    Raises
    ------
    AccountError
        If the name is taken or no name.
    """
    name = name.strip()
    if not is_name(name):
        raise AccountError(f"a token's name has 1 to {LONGEST_NAME} printable characters")
    if session.scalar(select(TokenRow.id).where(TokenRow.name == name)) is not None:
        raise AccountError(f"there is a token {name} already: nightread token list")
    secret = "nr_" + secrets.token_urlsafe(32)
    session.add(
        TokenRow(
            name=name,
            digest=digest_of(secret),
            role=role.value,
            created_at=now,
            expires_at=now + valid if valid else None,
        )
    )
    return secret


def find_token(session: Session, secret: str, now: dt.datetime) -> Token | None:
    """Return the token of a secret, ``None`` where it was revoked, expired or is none of ours."""
    row = session.scalars(
        select(TokenRow).where(
            TokenRow.digest == digest_of(secret),
            TokenRow.revoked_at.is_(None),
            TokenRow.expires_at.is_(None) | (TokenRow.expires_at > now),
        )
    ).one_or_none()
    return None if row is None else _token(row)


def revoke_token(session: Session, name: str, now: dt.datetime) -> None:
    """Make a token worthless.

    Raises
    ------
    AccountError
        If there is none of this name.
    """
    row = session.scalars(select(TokenRow).where(TokenRow.name == name)).one_or_none()
    if row is None:
        raise AccountError(f"there is no token {name}: nightread token list")
    row.revoked_at = row.revoked_at or now


def list_tokens(session: Session) -> list[Token]:
    """Return every token, by name."""
    return [_token(row) for row in session.scalars(select(TokenRow).order_by(TokenRow.name))]


def _token(row: TokenRow) -> Token:
    return Token(row.name, Role(row.role), row.created_at, row.expires_at, row.revoked_at)
