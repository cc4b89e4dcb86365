"""Reading values leniently: junk is ``None``, never an error."""

from __future__ import annotations

import datetime as dt
import math
import re

_DATE = re.compile(r"\s*([0-9]{4})[.\-/]?([0-9]{2})[.\-/]?([0-9]{2})")
_TIME = re.compile(r"\s*([0-9]{2}):?(?:([0-9]{2}):?(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_AGE = re.compile(r"\s*([0-9]{1,4})\s*([DWMY])\s*", re.IGNORECASE)
_YEARS_PER_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}

_EARLIEST_YEAR = 1850
"""Before it nobody was radiographed: 0001-01-01 and the like are placeholders."""

_OLDEST = 150.0
"""Years. PatientAge 999Y is a placeholder as well."""

_INTEGER_LIMIT = 2**31
"""IS spans 32 bits (PS3.5 6.2), as do the integers of our databases."""


def parse_date(text: str) -> dt.date | None:
    """Return the date of a DA, of its old form with dots, or of the start of a DT."""
    match = _DATE.match(text)
    if not match:
        return None
    year, month, day = (int(part) for part in match.groups())
    try:
        return dt.date(year, month, day) if year >= _EARLIEST_YEAR else None
    except ValueError:
        return None


def parse_time(text: str) -> dt.time | None:
    """Return the time of a TM, with or without colons, to whatever precision it has.

    A leap second, which TM allows and Python does not, becomes the second before.
    """
    match = _TIME.match(text)
    if not match:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    microsecond = int((match[4] or "").ljust(6, "0"))
    try:
        return dt.time(hour, minute, min(second, 59) if second == 60 else second, microsecond)
    except ValueError:
        return None


def parse_number(text: str) -> float | None:
    """Return a finite number, as of DS, or ``None``."""
    try:
        number = float(text.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_integer(text: str) -> int | None:
    """Return an integer of at most 32 bits, as of IS, or ``None``; ``1.0`` is read as 1."""
    number = parse_number(text)
    if number is None or not -_INTEGER_LIMIT <= number < _INTEGER_LIMIT:
        return None
    return int(number)


def parse_age(text: str) -> float | None:
    """Return the years that an AS states, for instance 1.5 for ``018M``, or ``None``."""
    match = _AGE.fullmatch(text)
    if not match:
        return None
    return _plausible(int(match[1]) * _YEARS_PER_UNIT[match[2].upper()])


def age_between(birth: dt.date | None, study: dt.date | None) -> float | None:
    """Return the age in years at the study, whole on birthdays, or ``None`` if it is not known."""
    if birth is None or study is None or study < birth:
        return None
    before_birthday = (study.month, study.day) < (birth.month, birth.day)
    whole = study.year - birth.year - before_birthday
    try:
        birthday = birth.replace(year=birth.year + whole)
    except ValueError:
        birthday = dt.date(birth.year + whole, 3, 1)
    return _plausible(whole + (study - birthday).days / 366)


def _plausible(years: float) -> float | None:
    return years if 0.0 <= years <= _OLDEST else None
