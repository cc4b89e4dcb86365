"""Changes that somebody makes at the console, in the audit under their name on this machine."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from screening.domain.account import Actor, Role


@contextmanager
def administering() -> Iterator[tuple[Any, Actor]]:
    """Open the records for one change, with who makes it."""
    from nightread.database import opened
    from screening.settings_source import load_settings

    with opened(load_settings()) as records, records.begin() as session:
        yield session, console_actor()


def console_actor() -> Actor:
    """Return who sits at this console."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a process whose number has no name, as in a container
        name = "unknown"
    return Actor(f"console:{name}", Role.ADMIN, "console")


def now() -> dt.datetime:
    """Return the present, UTC."""
    return dt.datetime.now(dt.UTC)
