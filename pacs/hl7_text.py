"""Texts in messages of HL7 version 2."""

from __future__ import annotations

# HL7 2.5.1, 2.7: how delimiters stand in a text.
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}


def escaped(text: str) -> str:
    """Return a text in which nothing is taken for a delimiter or the end of a segment."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return "".join(_ESCAPES.get(character, character) for character in plain)
