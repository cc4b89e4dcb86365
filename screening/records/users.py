"""Users: who may sign in at the desk, and as what."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from screening.domain.account import LONGEST_NAME, Role, User, is_name
from screening.errors import AccountError
from screening.records.desk_schema import SignInLinkRow, UserRow, WebSessionRow


@dataclass(frozen=True, slots=True)
class Account:
    """A user as an administrator sees them."""

    name: str
    role: Role
    has_password: bool
    created_at: dt.datetime
    disabled_at: dt.datetime | None


def add_user(
    session: Session, name: str, role: Role, password_hash: str | None, now: dt.datetime
) -> User:
    """Make an account.

    Raises
    ------
    AccountError
        If the name is taken or no name.
    """
    name = name.strip()
    if not is_name(name):
        raise AccountError(f"a user's name has 1 to {LONGEST_NAME} printable characters")
    if session.scalar(select(UserRow.id).where(UserRow.name == name)) is not None:
        raise AccountError(f"there is a user {name} already: nightread user list")
    row = UserRow(name=name, role=role.value, password_hash=password_hash, created_at=now)
    session.add(row)
    session.flush()
    return User(row.id, name, role)


def has_users(session: Session, *, by_password: bool = True) -> bool:
    """Say whether anybody could sign in: with a password, or in whatever way."""
    able = select(UserRow.id).where(UserRow.disabled_at.is_(None)).limit(1)
    if by_password:
        able = able.where(UserRow.password_hash.is_not(None))
    return session.scalar(able) is not None


def list_users(session: Session) -> list[Account]:
    """Return every account, by name."""
    return [
        Account(
            row.name,
            Role(row.role),
            row.password_hash is not None,
            row.created_at,
            row.disabled_at,
        )
        for row in session.scalars(select(UserRow).order_by(UserRow.name))
    ]


def change_user(
    session: Session,
    name: str,
    now: dt.datetime,
    *,
    role: Role | None = None,
    password_hash: str | None = None,
    disabled: bool | None = None,
) -> User:
    """Change an account, and end its sessions: the change holds at once.

    Raises
    ------
    AccountError
        If there is none of this name.
    """
    row = session.scalars(select(UserRow).where(UserRow.name == name)).one_or_none()
    if row is None:
        raise AccountError(f"there is no user {name}: nightread user list")
    if role is not None:
        row.role = role.value
    if password_hash is not None:
        row.password_hash = password_hash
    if disabled is not None:
        row.disabled_at = now if disabled else None
    of_user = WebSessionRow.user_row == row.id, WebSessionRow.ended_at.is_(None)
    session.execute(update(WebSessionRow).where(*of_user).values(ended_at=now))
    # A link from before would sign in whoever has it.
    links = SignInLinkRow.user_row == row.id, SignInLinkRow.used_at.is_(None)
    session.execute(update(SignInLinkRow).where(*links).values(used_at=now))
    return User(row.id, row.name, Role(row.role))


def find_user(session: Session, name: str) -> tuple[User, str | None] | None:
    """Return an enabled user and their password's hash, by name."""
    row = session.scalars(
        select(UserRow).where(UserRow.name == name.strip(), UserRow.disabled_at.is_(None))
    ).one_or_none()
    return None if row is None else (User(row.id, row.name, Role(row.role)), row.password_hash)
