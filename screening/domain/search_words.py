"""What a study is found by in free text: words of its patient's name, identifiers, UID."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 64
"""Characters of a word that count; a value of VR LO or SH has no more (PS3.5 6.2)."""

MOST_WORDS = 8
"""That are looked for: more of them narrow nothing, and each is a query."""

_MOST_KEPT = 64
"""Of one study: a name of a million words must not keep the door busy."""

_PIECES = re.compile(r"\w+")
# Between the parts of a person's name and between its writings (PS3.5 6.2.1.1), and blanks.
_PARTS = re.compile(r"[\s^=]+")


def normal(text: str) -> str:
    """Return text as it is compared: without accents, in one case."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def words_of(*values: str | None) -> set[str]:
    """Return the words that values are found by: each part of them whole, and its pieces.

    ``PHANTOM-0001`` is found by itself, by ``phantom`` and by ``0001``, or by how each begins.
    """
    found: set[str] = set()
    for value in values:
        for part in _PARTS.split(normal(value or "")):
            found |= {part, *_PIECES.findall(part)}
    return set(sorted({word[:LONGEST] for word in found if word})[:_MOST_KEPT])


def queried(text: str) -> list[str]:
    """Return the beginnings of words that a person asks for, the longest first, at most eight."""
    parts = {part[:LONGEST] for part in _PARTS.split(normal(text)) if part}
    return sorted(parts, key=lambda part: (-len(part), part))[:MOST_WORDS]
