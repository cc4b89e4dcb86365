"""The file of sources that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from night.sources import Sources
    from screening.settings import Settings


def configured_sources(settings: Settings) -> Sources:
    """Read the sources and schedules.

    Raises
    ------
    SettingsError
        If no file is named, or it cannot be meant.
    """
    from night.sources import read_sources
    from screening.errors import SettingsError

    if settings.sources_file is None:
        raise SettingsError(
            "NIGHTREAD_SOURCES_FILE names no file: there is no PACS to fetch from (docs/night.md)"
        )
    if not settings.dicom_port:
        raise SettingsError(
            "NIGHTREAD_DICOM_PORT=0: what is fetched comes in by it; our own process does not "
            "speak TLS to our door"
        )
    return read_sources(settings.sources_file, settings.ae_title)
