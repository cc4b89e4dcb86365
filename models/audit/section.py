"""A part of a report: what Markdown and HTML both say, in their own ways."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header; numbers from the column ``numbers_from`` on."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int = 1


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, a table and a picture, each of which may be absent.

    Attributes
    ----------
    title
        Empty for the opening.
    sentences
        A paragraph each.
    table
        Below them.
    picture
        File name of a picture in the report's folder.
    caption
        Of the picture.
    """

    title: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    picture: str = ""
    caption: str = ""


def plain(text: str) -> str:
    """Return text from outside, a file name for instance, on one line and without controls."""
    return "".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text).strip()


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 file``, ``2,000 files``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """Return a share in per cent: ``88 %``, or ``0.7 %`` near the ends of the scale."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 10 or 99.5 <= percent < 100:
        return f"{percent:.1f} %"
    return f"{percent:.0f} %"
