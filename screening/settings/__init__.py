"""Every setting, once: its unit, its default and the reason for it.

Settings come from the environment, from an optional file of ``NAME=value`` lines, which
``NIGHTREAD_SETTINGS_FILE`` names (default ``nightread.env`` in the working folder), and from files
that hold one each, in ``NIGHTREAD_SECRETS_DIR``; the first of these wins. They are built by a
process at its entry point and handed down: nothing reads them at import.
"""

from __future__ import annotations

from screening.settings.desk import DeskSettings
from screening.settings.hospital import HospitalSettings
from screening.settings.keeping import KeepingSettings
from screening.settings.monitoring import MonitoringSettings
from screening.settings.reading import ReadingSettings
from screening.settings.values import PREFIX

__all__ = ["PREFIX", "Settings"]


class Settings(
    # The last is the first that is listed.
    MonitoringSettings,
    DeskSettings,
    ReadingSettings,
    HospitalSettings,
    KeepingSettings,
):
    """What the operator may choose. Frozen: a process lives with the settings it started with."""
