"""By which clock a night is reported, and what should have begun in it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from night.sources import Sources
    from screening.settings import Settings


@dataclass(frozen=True, slots=True)
class NightPlan:
    """What the file of sources says of nights.

    Attributes
    ----------
    sources
        Of the file; ``None`` where there is none.
    zone
        Of the first source; ``None`` for this machine's.
    """

    sources: Sources | None
    zone: dt.tzinfo | None

    def scheduled(self, night: dt.date) -> list[tuple[str, dt.date, dt.datetime]]:
        """Return which schedules begin which night, and when, from noon to noon."""
        from night.schedule import nights_between
        from worklist.night_report import window

        if self.sources is None:
            return []
        return nights_between(self.sources, *window(night, self.zone))


def read_plan(settings: Settings) -> NightPlan:
    """Read the file of sources, where there is one.

    Raises
    ------
    SettingsError
        If it cannot be meant.
    """
    if settings.sources_file is None:
        return NightPlan(None, None)
    from night.sources import read_sources

    sources = read_sources(settings.sources_file, settings.ae_title)
    return NightPlan(sources, sources.source[0].zone if sources.source else None)
