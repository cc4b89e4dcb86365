"""``nightread listen``: the door, one process."""

from __future__ import annotations

from nightread.tether import Parent
from screening.tether import tie_to


def listen(parent: Parent = 0) -> None:
    """Receive images from a PACS until stopped (C-ECHO, C-STORE)."""
    tie_to(parent)
    from screening.settings_source import load_settings
    from screening.watching.counting import count_together

    settings = load_settings()
    if settings.listener_watch_port:
        count_together()
    from dicom_listener import process

    process.run(settings)
