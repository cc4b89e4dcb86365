"""A moment on the command line: ``24h``, ``2026-11-20`` or a full date and time."""

from __future__ import annotations

import datetime as dt
import re

import typer

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_since(value: str) -> dt.datetime:
    """Return the moment that ``value`` names, in UTC; without a zone it is this machine's time.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    try:
        span = re.fullmatch(r"(\d{1,6})([mhdw])", value.strip())
        if span:
            back = dt.timedelta(**{_UNITS[span[2]]: int(span[1])})
            return dt.datetime.now(dt.UTC) - back
        return dt.datetime.fromisoformat(value.strip()).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{value!r} is no moment: give 30m, 24h, 7d or 2w, a date like 2026-11-20, "
            "or 2026-11-20T18:00"
        ) from None
