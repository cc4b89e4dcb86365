"""A night: from noon to noon, and named by the day on which it begins."""

from __future__ import annotations

import datetime as dt

_NOON = dt.time(12)


def night_of(moment: dt.datetime, zone: dt.tzinfo | None = None) -> dt.date:
    """Return the night that a moment belongs to: up to noon that of the day before.

    Parameters
    ----------
    zone
        By which it is noon; ``None`` for this machine's.
    """
    local = moment.astimezone(zone)
    return local.date() if local.time() >= _NOON else local.date() - dt.timedelta(days=1)


def last_night(now: dt.datetime, zone: dt.tzinfo | None = None) -> dt.date:
    """Return the night that a report is about: the one at work, or after noon the one before."""
    return night_of(now - dt.timedelta(hours=12), zone)


def night_window(night: dt.date, zone: dt.tzinfo | None = None) -> tuple[dt.datetime, dt.datetime]:
    """Return from when to when a night lasts, in UTC."""
    return _stretch(night, _NOON, zone)


def day_window(day: dt.date, zone: dt.tzinfo | None = None) -> tuple[dt.datetime, dt.datetime]:
    """Return from when to when a day lasts, midnight to midnight, in UTC."""
    return _stretch(day, dt.time(0), zone)


def _stretch(
    day: dt.date, time: dt.time, zone: dt.tzinfo | None
) -> tuple[dt.datetime, dt.datetime]:
    moments = (dt.datetime.combine(day + dt.timedelta(days=days), time) for days in (0, 1))
    begin, end = (
        (moment.replace(tzinfo=zone) if zone else moment).astimezone(dt.UTC) for moment in moments
    )
    return begin, end
