"""The doctor looks at where results go, whether each takes them, and at what has not arrived."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nightread.finding import Finding, fail, ok, warn
from screening.errors import NightreadError, RecordsError, SendError, SettingsError
from screening.settings import Settings

if TYPE_CHECKING:
    from pacs.destinations import Destination, Destinations

_SECONDS = 5.0
_AT_ONCE = 8
# A courier that runs has planned a study within seconds.
_PATIENCE = dt.timedelta(minutes=10)


def check_destinations(settings: Settings) -> Iterator[Finding]:
    """Read the file of destinations, ask each of them, and count what has not arrived."""
    from pacs.destinations import read_destinations

    if settings.destinations_file is None:
        return
    try:
        found = read_destinations(settings.destinations_file, settings.ae_title)
    except SettingsError as error:
        yield fail("destinations", str(error))
        return
    yield ok("destinations", f"{settings.destinations_file} names {len(found.names)}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda check: check(), _checks(found, settings))
    yield from _check_deliveries(settings, found)


def _checks(found: Destinations, settings: Settings) -> Iterator[Callable[[], Finding]]:
    for each in found.destination:
        look = _check_stow if each.stow_url else _check_dimse
        yield partial(look, each, settings)
    for hook in found.webhook:
        parts = urlsplit(hook.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield partial(_check_port, hook.name, parts.hostname or "", port)
    for mail in found.mail:
        yield partial(_check_port, mail.name, mail.host, mail.port)
    for system in found.hl7:
        yield partial(_check_port, system.name, system.host, system.port)


def _check_dimse(destination: Destination, settings: Settings) -> Finding:
    from pydicom.uid import UID, ExplicitVRLittleEndian

    from pacs.offer import offer

    name = f"destination {destination.name}"
    wanted = [(uid, str(ExplicitVRLittleEndian)) for uid in destination.sop_classes]
    try:
        taken = offer(destination.peer(settings.ae_title), wanted)
    except SendError as error:
        return fail(name, str(error))
    refused = [UID(uid).name for uid, syntax in wanted if (uid, syntax) not in taken]
    if refused:
        hint = "leave them out of objects, or for a report try planar_report = true"
        return fail(name, f"{destination.ae_title} takes no {', no '.join(refused)}: {hint}")
    return ok(name, f"{destination.ae_title} answers, and takes what it is sent")


def _check_stow(destination: Destination, settings: Settings) -> Finding:
    import httpx

    name = f"destination {destination.name}"
    token = destination.stow_token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(
            f"{destination.stow_url}/studies?limit=1", headers=headers, timeout=_SECONDS
        )
    except httpx.HTTPError as error:
        return fail(name, f"{destination.stow_url} does not answer: {type(error).__name__}")
    if answer.status_code in (401, 403, 404):
        hint = "look at stow_token" if answer.status_code != 404 else "look at its path"
        return fail(name, f"{destination.stow_url} answers {answer.status_code}: {hint}")
    return ok(name, f"{destination.stow_url} answers")


def _check_port(place: str, host: str, port: int) -> Finding:
    name = f"destination {place}"
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        return fail(name, f"nobody answers on {host} port {port}: {error.strerror or error}")
    return ok(name, f"somebody answers on {host} port {port}")


def _check_deliveries(settings: Settings, found: Destinations) -> Iterator[Finding]:
    from screening.domain.delivery import DeliveryState
    from screening.records.changes import changes_waiting
    from screening.records.deliveries import count_deliveries, count_strangers
    from screening.records.engine import Records

    if not settings.database_url and not (settings.data_dir / "nightread.sqlite").exists():
        return
    try:
        records = Records(settings.records_url)
        try:
            with records.read() as session:
                counts = count_deliveries(session)
                strangers = count_strangers(session, found.names)
                untold = changes_waiting(session, dt.datetime.now(dt.UTC) - _PATIENCE)
        finally:
            records.close()
    except RecordsError:
        return  # the database's own line says so
    except NightreadError as error:
        yield fail("deliveries", str(error))
        return
    dead = sum(count for (_, state), count in counts.items() if state is DeliveryState.DEAD)
    due = sum(count for (_, state), count in counts.items() if state is DeliveryState.DUE)
    if untold:
        yield fail(
            "deliveries", f"{untold} studies are to be told, and no courier runs: nightread up"
        )
    if strangers:
        yield fail(
            "deliveries",
            f"{strangers} are due at destinations that are not in the file any more: enter them "
            "again, or nightread resend --destination",
        )
    if dead:
        yield warn("deliveries", f"{dead} were given up, {due} are due: nightread deliveries")
    elif not (untold or strangers):
        yield ok("deliveries", f"none was given up, {due} are due")
