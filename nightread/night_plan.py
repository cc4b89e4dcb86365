"""By which clock a night is reported, and what should begin in it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.settings import Settings
    from worklist.night_report import NightPlan


def read_plan(settings: Settings) -> NightPlan:
    """Read the file of sources, where there is one: a night is noon to noon for the first of them.

    Raises
    ------
    SettingsError
        If it cannot be meant.
    """
    from worklist.night_report import NightPlan

    if settings.sources_file is None:
        return NightPlan()
    from night.schedule import nights_between
    from night.sources import read_sources

    sources = read_sources(settings.sources_file, settings.ae_title)
    zone = sources.source[0].zone if sources.source else None
    return NightPlan(zone, partial(nights_between, sources))
