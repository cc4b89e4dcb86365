"""The names of those who are told of results, by the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.settings import Settings


def destination_names(settings: Settings) -> list[str] | None:
    """Return them; ``None`` where no file of destinations is named.

    Raises
    ------
    SettingsError
        If the file cannot be meant.
    """
    if settings.destinations_file is None:
        return None
    from pacs.destinations import read_destinations

    return read_destinations(settings.destinations_file, settings.ae_title).names
