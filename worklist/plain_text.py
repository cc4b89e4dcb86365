"""Text from outside, made harmless: whoever sends a data set chooses what stands in it."""

from __future__ import annotations

import unicodedata

# Controls (escape sequences among them), format characters (which can turn the direction of the
# line around), lone surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_FORMULA_STARTS = frozenset("=+-@＝＋－＠")  # noqa: RUF001 - spreadsheets take the wide ones too


def plain(text: str) -> str:
    """Return the text on one line with every unprintable character as a space."""
    spaced = (" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text)
    return " ".join("".join(spaced).split())


def person(patient_name: str) -> str:
    """Return a person's name as people write it: ``DOE^JANE^^DR`` as ``DOE, JANE``.

    The first component group that has anything in it counts: alphabetic, ideographic, phonetic,
    PS3.5 6.2.1.
    """
    groups = (plain(group).strip("^ ") for group in patient_name.split("="))
    name = next((group for group in groups if group), "")
    family, _, rest = name.partition("^")
    given = " ".join(part.strip() for part in rest.split("^")[:2] if part.strip())
    return ", ".join(part for part in (family.strip(), given) if part)


def no_formula(text: str) -> str:
    """Return the text such that no spreadsheet takes it for a formula.

    A leading apostrophe marks text in every spreadsheet.
    """
    clean = plain(text)
    return f"'{clean}" if clean[:1] in _FORMULA_STARTS else clean
