"""Where a browser on this machine finds the worklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.settings import Settings


def worklist_address(settings: Settings) -> str:
    """Return the address at which the worklist is served, with a slash at its end."""
    host = settings.worklist_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.worklist_port}/"
