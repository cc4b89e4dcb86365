"""Who may do what at the desk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What somebody may be allowed to do."""

    LOOK = "look"
    REVIEW = "review"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What somebody is: a name for some rights."""

    VIEWER = "viewer"
    RADIOLOGIST = "radiologist"
    ADMIN = "admin"

    def may(self, right: Right) -> bool:
        """Say whether this role has a right. Who administers does not review, and vice versa."""
        return right in _RIGHTS[self]


_RIGHTS = {
    Role.VIEWER: {Right.LOOK},
    Role.RADIOLOGIST: {Right.LOOK, Right.REVIEW},
    Role.ADMIN: {Right.LOOK, Right.ADMINISTER},
}


LONGEST_NAME = 64
"""Characters of the name of a user or a token."""


def is_name(name: str) -> bool:
    """Say whether a user or a token can be called this."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account, by the row, the name and the role."""

    row: int
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for something: a person at the desk, or a machine with a token.

    Attributes
    ----------
    name
        Of the user or, after ``token:``, of the token.
    role
        What they may do.
    address
        Where they ask from.
    user
        ``None`` for a machine.
    """

    name: str
    role: Role
    address: str
    user: User | None = None
