"""Files that the settings name: read before a process is started that works by them."""

from __future__ import annotations

from screening.settings import Settings


def require_files(settings: Settings) -> None:
    """Refuse to start with a file of settings or a certificate that cannot be meant.

    Raises
    ------
    SettingsError
        If there is one; the message says what is wrong in it.
    """
    if settings.destinations_file is not None:
        from pacs.destinations import read_destinations

        read_destinations(settings.destinations_file, settings.ae_title)
    if settings.sources_file is not None:
        from nightread.sources import configured_sources

        configured_sources(settings)
    if settings.retention_file is not None:
        from night.retention_rules import read_retention

        read_retention(settings.retention_file)
    if settings.audit_syslog:
        from screening.auditing.syslog import tls_context

        tls_context(settings)
