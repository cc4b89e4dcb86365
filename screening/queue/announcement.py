"""Studies are announced to the workers after their rows are committed, and again if lost."""

from __future__ import annotations

import datetime as dt

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from screening.domain.lane import Lane
from screening.queue.app import OVERNIGHT_QUEUE, QUEUE, SCORE_CANARIES, SCREEN_STUDY
from screening.queue.broker import is_there
from screening.records import outbox
from screening.records.canaries import rounds_to_do
from screening.records.engine import Records

log = structlog.get_logger(__name__)

_QUEUES = {Lane.STAT: QUEUE, Lane.OVERNIGHT: OVERNIGHT_QUEUE}

# With messages in the queue an old announcement is probably one of them; this much later it is
# sent again all the same. The second of two messages finds nothing to do.
_PATIENCE = dt.timedelta(minutes=10)


class Announcer:
    """Sends what the outbox holds.

    Parameters
    ----------
    records, app
        Where the outbox is, and where the messages go.
    sweep
        How long a study may wait after its announcement, with nobody at it and nothing in the
        queue, before it is announced again.
    """

    def __init__(self, records: Records, app: Celery, *, sweep: dt.timedelta) -> None:
        self._records = records
        self._app = app
        self._sweep = sweep

    def announce_due(self) -> int:
        """Send a message for each study that is due, and return how many were sent.

        A message goes out before its row says so: a crash in between sends it twice. If Redis does
        not answer, the rows stay due.

        Raises
        ------
        RecordsError
            If the database does not answer.
        """
        now = dt.datetime.now(dt.UTC)
        with self._records.read() as session:
            studies = outbox.due(session, now)
        return self._send(studies, now)

    def announce_lost(self) -> int:
        """Send again for studies that wait although they were announced; return how many.

        Raises
        ------
        RecordsError
            If the database does not answer.
        """
        now = dt.datetime.now(dt.UTC)
        waiting = self._messages_waiting()
        if waiting is None:
            return 0
        before = now - (_PATIENCE if waiting else self._sweep)
        with self._records.read() as session:
            studies = outbox.lost(session, now, announced_before=before)
        sent = self._send(studies, now)
        if sent:
            log.info("studies_announced_again", studies=sent)
        return sent

    def announce_canaries(self) -> None:
        """Send a message for each round of canaries that nobody has done; it may be sent twice.

        Raises
        ------
        RecordsError
            If the database does not answer.
        """
        with self._records.read() as session:
            rounds = rounds_to_do(session, dt.datetime.now(dt.UTC))
        try:
            for row in rounds:
                self._require_redis()
                self._app.send_task(SCORE_CANARIES, args=[row], queue=QUEUE)
        except (OperationalError, RedisError) as error:
            log.warning("redis_does_not_answer", error=type(error).__name__, canaries=len(rounds))

    def _send(self, studies: list[int], now: dt.datetime) -> int:
        sent: list[int] = []
        if not studies:
            return 0
        try:
            self._require_redis()
            with self._records.read() as session:
                lanes = outbox.lanes(session, studies)
            with self._app.producer_pool.acquire(block=True) as producer:
                for study in studies:
                    queue = _QUEUES[lanes.get(study, Lane.STAT)]
                    self._app.send_task(SCREEN_STUDY, args=[study], queue=queue, producer=producer)
                    sent.append(study)
        except (OperationalError, RedisError) as error:
            log.warning("redis_does_not_answer", error=type(error).__name__, waiting=len(studies))
        if sent:
            with self._records.begin() as session:
                outbox.mark_sent(session, sent, now)
        return len(sent)

    def _messages_waiting(self) -> int | None:
        """Return the length of both queues, or ``None`` if Redis does not answer."""
        try:
            self._require_redis()
            with self._app.connection_for_read() as connection:
                channel = connection.default_channel
                return sum(int(channel.client.llen(queue)) for queue in _QUEUES.values())
        except (OperationalError, RedisError):
            return None

    def _require_redis(self) -> None:
        if not is_there(self._app.conf.broker_url):
            raise OperationalError("nobody listens there")
