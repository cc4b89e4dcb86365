"""Secrets of 256 random bits: they leave once, when they are made; only their digest is kept."""

from __future__ import annotations

import hashlib


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal.

    A slow hash, as passwords need, would add nothing: nobody guesses 256 random bits.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
