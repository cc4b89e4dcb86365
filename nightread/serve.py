"""``nightread serve``: the desk, one process."""

from __future__ import annotations

from nightread.tether import Parent
from screening.tether import tie_to


def serve(parent: Parent = 0) -> None:
    """Serve the worklist to browsers until stopped."""
    tie_to(parent)
    from screening.settings_source import load_settings

    settings = load_settings()
    from nightread.night_plan import read_plan
    from worklist import serve as process

    process.run(settings, read_plan(settings))
