"""The doctor reads the rules by which pixels are removed, and says when they run next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from nightread.finding import Finding, fail, ok, warn
from screening.errors import SettingsError
from screening.settings import Settings


def check_retention(settings: Settings) -> Iterator[Finding]:
    """Read the file of rules, if one is named."""
    from night.retention_rules import read_retention

    if settings.retention_file is None:
        return
    try:
        found, policy = read_retention(settings.retention_file)
    except SettingsError as error:
        yield fail("retention", str(error))
        return
    except ModuleNotFoundError as error:
        yield fail("retention", f"its hour needs {error.name}: pip install 'nightread[night]'")
        return
    yield ok("retention", f"{settings.retention_file}: {'; '.join(map(str, policy.rules))}")
    if settings.destinations_file is None:
        yield warn(
            "retention holds",
            "NIGHTREAD_DESTINATIONS_FILE is not set here: where results are delivered, by another "
            "host or container too, name the same file to whoever removes pixels. Until then what "
            "was ever planned anywhere, and has not arrived, holds pixels back",
        )
    if found.begins:
        from cronsim import CronSim

        begins = next(CronSim(found.begins, dt.datetime.now(found.zone)))
        yield ok("retention runs", f"next at {begins:%Y-%m-%d %H:%M %Z}")
    else:
        when = "while the disk is low, and " if found.when_low else ""
        yield ok("retention runs", f"{when}when somebody runs nightread retention --apply")
