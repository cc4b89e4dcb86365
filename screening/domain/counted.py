"""A number of things, in words."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Return ``1 study``, ``2 studies``; the plural ends in s unless it is given."""
    return f"{count} {one if count == 1 else many or one + 's'}"
