"""By which clock a night is reported, and what should begin in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from night.sources import Sources
    from screening.settings import Settings
    from worklist.night_plan import NightPlan


def read_plan(settings: Settings) -> NightPlan:
    """Read the file of sources, where there is one.

    Raises
    ------
    SettingsError
        If it cannot be meant.
    """
    from worklist.night_plan import NightPlan

    if settings.sources_file is None:
        return NightPlan()
    from night.sources import read_sources

    return plan_of(read_sources(settings.sources_file, settings.ae_title))


def plan_of(sources: Sources) -> NightPlan:
    """Return what sources and schedules say of nights: noon to noon for the first source."""
    from functools import partial

    from night.schedule import nights_between
    from worklist.night_plan import NightPlan

    zone = sources.source[0].zone if sources.source else None
    return NightPlan(zone, partial(nights_between, sources), is_known=True)
