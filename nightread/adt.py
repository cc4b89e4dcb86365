"""``nightread adt``: listens to what the hospital says of its patients, one process."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from nightread.tether import Parent
from screening.tether import tie_to

if TYPE_CHECKING:
    import ssl

    from pacs.adt import Answer
    from screening.records.engine import Records
    from screening.settings import Settings


def adt(parent: Parent = 0) -> None:
    """Hear of merged patients (HL7 ADT) until stopped."""
    tie_to(parent)
    import asyncio

    from screening import logs
    from screening.errors import SettingsError
    from screening.records.engine import Records
    from screening.settings_source import load_settings
    from screening.watching.port import watched

    settings = load_settings()
    logs.configure(settings)
    if not settings.adt_port:
        raise SettingsError("NIGHTREAD_ADT_PORT is 0: name the port that the feed connects to")
    records = Records(settings.records_url)
    records.check_schema()
    checks = {"records": records.check_schema}
    try:
        with watched(settings, settings.adt_watch_port, records, checks):
            asyncio.run(_serve(settings, records))
    except OSError as error:
        where = f"{settings.adt_host}:{settings.adt_port}"
        raise SettingsError(
            f"nobody can listen at {where} ({error.strerror}): choose another NIGHTREAD_ADT_PORT"
        ) from None
    finally:
        records.close()


async def _serve(settings: Settings, records: Records) -> None:
    import asyncio

    from pacs.mllp import MllpServer

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = MllpServer(lambda content: _answer(settings, records, content), settings.adt_networks)
    await server.serve(settings.adt_host, settings.adt_port, ended, _tls(settings))


def _answer(settings: Settings, records: Records, content: bytes) -> Answer:
    import datetime as dt

    from pacs.adt import Feed, answer
    from screening.domain.account import Actor, Role
    from screening.records.feed import FeedMessage, take_message

    def take(message: FeedMessage) -> int:
        actor = Actor(f"hl7:{message.application}"[:128], Role.ADMIN, "feed")
        now = dt.datetime.now(dt.UTC)
        return records.repeat(lambda session: take_message(session, message, actor, now))

    return answer(content, Feed(settings.adt_applications, settings.adt_authority), take)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """Return how the feed's lines are secured, as those of the door are."""
    if not settings.adt_tls:
        return None
    from dicom_listener.tls import tls_context

    return tls_context(settings)
