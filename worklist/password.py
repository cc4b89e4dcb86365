"""Passwords: kept as argon2id (RFC 9106), never as they are."""

from __future__ import annotations

from functools import cache

from pwdlib import PasswordHash

from screening.errors import AccountError

SHORTEST = 10
"""Characters of a password. A long one needs no rules about which."""


@cache
def _hash() -> PasswordHash:
    return PasswordHash.recommended()


def make_hash(password: str) -> str:
    """Return what is kept of a password.

    Raises
    ------
    AccountError
        If it is too short.
    """
    if len(password) < SHORTEST:
        raise AccountError(f"a password has at least {SHORTEST} characters")
    return _hash().hash(password)


def is_password(password: str, kept: str) -> bool:
    """Say whether a password is the one of which `kept` was made."""
    return _hash().verify(password, kept)
