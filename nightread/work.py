"""``nightread work``: the reading room, one process and its pool."""

from __future__ import annotations

from nightread.tether import Parent
from screening.tether import tie_to


def work(parent: Parent = 0) -> None:
    """Score received images until stopped."""
    tie_to(parent)
    from screening.settings_source import load_settings
    from screening.watching.counting import count_together

    settings = load_settings()
    if settings.worker_watch_port:
        count_together()
    from worker import process

    process.run(settings)
