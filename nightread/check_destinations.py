"""The doctor looks at where results go: whether each PACS answers, and takes them."""

from __future__ import annotations

from collections.abc import Iterator

from nightread.finding import Finding, fail, ok
from pacs.destinations import Destination, read_destinations
from pacs.echo import echo
from screening.errors import SendError, SettingsError
from screening.settings import Settings


def check_destinations(settings: Settings) -> Iterator[Finding]:
    """Read the file of destinations, and verify with each DICOM application in it."""
    if settings.destinations_file is None:
        return
    try:
        found = read_destinations(settings.destinations_file, settings.ae_title)
    except SettingsError as error:
        yield fail("destinations", str(error))
        return
    yield ok("destinations", f"{settings.destinations_file} names {len(found.names)}")
    for each in found.destination:
        if not each.stow_url:
            yield _check(each, settings)


def _check(destination: Destination, settings: Settings) -> Finding:
    name = f"destination {destination.name}"
    try:
        echo(destination.peer(settings.ae_title))
    except SendError as error:
        return fail(name, str(error))
    return ok(name, f"{destination.ae_title} answers on {destination.host} port {destination.port}")
