"""Sends what is audited to the hospital's audit repository: each entry, in order, at least once."""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import uuid
from urllib.parse import urlsplit

import structlog

from screening.auditing.kinds import KINDS
from screening.auditing.message import Source, audit_message
from screening.auditing.syslog import Repository, syslog_message
from screening.errors import NightreadError, RelayError
from screening.records import audit_relay
from screening.records.audit import Event
from screening.records.audit_relay import Unsent
from screening.records.engine import Records
from screening.settings import Settings

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 60.0
_AT_ONCE = 100
# Longer than a batch can take: see the limits of `Repository`.
_TURN = dt.timedelta(minutes=2)


class Relay:
    """Goes through the audit.

    The records are the buffer: an entry is noted as sent after its bytes have gone, so that a relay
    that is killed, or a repository that is away for days, costs nothing but repetitions. One relay
    sends at a time, however many run.

    Parameters
    ----------
    settings, records
        Of the installation.
    repository
        Where it is sent to.
    """

    def __init__(self, settings: Settings, records: Records, repository: Repository) -> None:
        self._records = records
        self._repository = repository
        host = urlsplit(settings.worklist_url).hostname or socket.gethostname()
        self._source = Source(settings.ae_title, host)
        self._who = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._stopped = threading.Event()
        self._trouble: NightreadError | None = None

    def run(self) -> None:
        """Send what is audited until `stop`; after a failure, again after growing pauses."""
        pause = _EVERY_SECONDS
        while not self._stopped.wait(pause):
            try:
                self.send_all()
                pause, self._trouble = _EVERY_SECONDS, None
            except NightreadError as error:
                self._trouble = error
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                log.warning("audit_not_sent", error=str(error), again_after_seconds=pause)

    def check(self) -> None:
        """Raise what went wrong the last time that `run` had something to send.

        Raises
        ------
        NightreadError
            If anything did.
        """
        if self._trouble is not None:
            raise self._trouble

    def stop(self) -> None:
        """Have `run` end after what is on its way."""
        self._stopped.set()

    def send_all(self) -> int:
        """Send all that has not been sent, and return how much it was; 0 if another relay is at it.

        Raises
        ------
        RelayError
            If the repository does not take it; what it took is noted.
        RecordsError
            If the database does not answer.
        """
        sent = 0
        while not self._stopped.is_set() and (batch := self._next_batch()):
            sent += self._send(batch)
        if sent:
            log.info("audit_sent", entries=sent)
        return sent

    def _next_batch(self) -> list[Unsent]:
        now = _now()
        with self._records.read() as session:
            batch = audit_relay.read_unsent(session, _AT_ONCE)
        if not batch:
            return []
        with self._records.begin() as session:
            if not audit_relay.take_turn(session, self._who, now, now + _TURN):
                return []
        # Once more: before it was our turn another relay may have sent some.
        with self._records.read() as session:
            return audit_relay.read_unsent(session, _AT_ONCE)

    def _send(self, batch: list[Unsent]) -> int:
        messages, unknown = self._messages(batch)
        if messages:
            self._repository.send(messages)
            self._note(batch[len(messages) - 1].entry.number)
        if unknown is not None:
            raise unknown
        return len(messages)

    def _messages(self, batch: list[Unsent]) -> tuple[list[bytes], RelayError | None]:
        """Return the messages up to the first entry that is not known, and what is wrong with it.

        What follows it waits: the order is kept.
        """
        made: list[bytes] = []
        for each in batch:
            try:
                made.append(self._message(each))
            except RelayError as error:
                return made, error
        return made, None

    def _message(self, unsent: Unsent) -> bytes:
        content = audit_message(unsent, self._source)
        failed = KINDS[Event(unsent.entry.event)].outcome > 0
        return syslog_message(content, unsent.entry.at, self._source.host, failed=failed)

    def _note(self, number: int) -> None:
        with self._records.begin() as session:
            if not audit_relay.note_sent(session, self._who, number, _now()):
                raise RelayError("another relay has taken over: it sends the last entries again")

    def end(self) -> None:
        """Close the connection, and let another relay begin at once."""
        self._repository.close()
        try:
            with self._records.begin() as session:
                audit_relay.give_turn_back(session, self._who)
        except NightreadError as error:
            log.warning("turn_not_given_back", error=str(error))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
