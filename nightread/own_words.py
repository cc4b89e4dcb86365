"""Texts of which nothing is left but words that stand in our own source.

A name, an identifier or an address that slipped into a message is no word of ours.
"""

from __future__ import annotations

import re
from pathlib import Path

_WORDS = re.compile(r"[^\W_]+")
# A UID has more parts than an address of IP version 4 or a version of a library.
_UID = re.compile(r"\d+(?:\.\d+){5,}")
_DATE = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4}")
_LONGEST_NUMBER = 3
_GONE = "*"


class OwnWords:
    """The words of our packages' source.

    Parameters
    ----------
    home
        The folder of the packages.
    packages
        Their names.
    """

    def __init__(self, home: Path, packages: tuple[str, ...]) -> None:
        self._known: set[str] = set()
        for package in packages:
            for path in (home / package).rglob("*.py"):
                said = path.read_text(encoding="utf-8", errors="ignore").casefold()
                self._known.update(_WORDS.findall(said))

    def only(self, text: str) -> str:
        """Return a text with ``*`` for whatever is not a word of ours or a short number."""
        text = _UID.sub(_GONE, text[:2000])
        text = _DATE.sub(_GONE, text)
        return _WORDS.sub(self._kept, text)

    def _kept(self, match: re.Match[str]) -> str:
        word = match[0]
        if word.isdigit():
            # Whether or not it stands in our source: a longer one may be an identifier.
            return word if len(word) <= _LONGEST_NUMBER else _GONE
        return word if word.casefold() in self._known else _GONE
