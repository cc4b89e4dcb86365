"""Brings results to whoever is to be told, however long they are away.

A study that has changed is planned for everybody who wants it; each of them has a thread, so that
one that is away holds up nobody. What has arrived is never sent again, unless somebody asks for it.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Collection, Sequence
from typing import Protocol

import structlog

from pacs.peer import Trouble
from pacs.refusal import Refusal
from screening.domain.delivery import SHORTEST_PAUSE, DeliveryState, pause_after
from screening.errors import AssociationError, NightreadError, RecordsError
from screening.records import changes, deliveries
from screening.records.changes import ChangedStudy
from screening.records.deliveries import Delivery
from screening.records.engine import Records
from screening.records.removals import are_all_gone
from screening.watching.figures import DELIVERIES

log = structlog.get_logger(__name__)

# Whoever names their first destination after a year does not want the year at once.
_NEWS_FOR = dt.timedelta(days=7)

# How long a delivery is one courier's: a large study to a slow PACS, and some more.
_LEASE = dt.timedelta(minutes=15)
_MOST_IN_A_ROUND = 100
_DRAIN_SECONDS = 5.0
_CUT_SECONDS = 2.0

# However long one was away, it is asked again after this long whether it is back.
_LONGEST_AWAY = dt.timedelta(minutes=1)


class Carrier(Protocol):
    """Who brings results to one place."""

    name: str
    give_up_days: float
    tells_failures: bool
    """Whether it is told of what another one gave up."""
    needs_pixels: bool
    """Whether what it brings is made with the images: without them there is nothing to bring."""

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        """Say whether a study's results go there."""

    def carry(self, delivery: Delivery) -> list[Refusal]:
        """Bring what has not arrived, and return what was refused."""

    def cut(self) -> None:
        """End what is on its way at once."""


class Courier:
    """Plans and makes deliveries.

    Parameters
    ----------
    records
        What there is to tell, and what has arrived.
    carriers
        One for each place.
    quiet
        For how long a study must not have changed: it is told once, not image by image.
    shortest_pause
        After the first failure; doubled with each further one.
    """

    def __init__(
        self,
        records: Records,
        carriers: Sequence[Carrier],
        *,
        quiet: dt.timedelta = dt.timedelta(seconds=10),
        shortest_pause: dt.timedelta = SHORTEST_PAUSE,
    ) -> None:
        self._records = records
        self._carriers = tuple(carriers)
        self._quiet = quiet
        self._shortest_pause = shortest_pause
        self._stopped = threading.Event()

    def run(self, every_seconds: float = 2.0) -> None:
        """Plan and deliver until `stop`."""
        with self._records.begin() as session:
            stay = deliveries.note_strangers(session, [each.name for each in self._carriers])
        if stay:
            log.warning("deliveries_to_nobody", deliveries=stay)
        threads = [
            # One that hangs in a library must not keep the process from ending.
            threading.Thread(
                target=self._serve, args=(each, every_seconds), name=each.name, daemon=True
            )
            for each in self._carriers
        ]
        for thread in threads:
            thread.start()
        while not self._stopped.wait(every_seconds):
            try:
                self.plan()
            except RecordsError as error:
                log.warning("deliveries_not_planned", error=str(error))
        # Each may finish what it is at, all of them in this time.
        deadline = time.monotonic() + _DRAIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for carrier, thread in zip(self._carriers, threads, strict=True):
            if thread.is_alive():
                carrier.cut()
        deadline = time.monotonic() + _CUT_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Have `run` end after what is on its way, or cut that if it takes too long."""
        self._stopped.set()

    def plan(self) -> int:
        """Make due what is new, and return of how many studies."""
        now = _now()
        oldest = now - _NEWS_FOR
        with self._records.read() as session:
            changed = changes.changed_studies(session, now - self._quiet)
            # A courier that was away for longer is another matter: what it owes, it brings.
            is_first = bool(changed) and not deliveries.were_any(session)
        if is_first and changed[0].changed_at < oldest:
            with self._records.begin() as session:
                forgotten = changes.forget_changes(session, oldest)
            log.warning("results_too_old_to_send", studies=forgotten)
            changed = [each for each in changed if each.changed_at >= oldest]
        planned = 0
        for study in changed:
            with self._records.begin() as session:
                told = deliveries.told(session, study.row)
                wanted = self._wanted(study, told, without_pixels=are_all_gone(session, study.row))
                planned += deliveries.plan(session, study, wanted, now)
        return planned

    def _wanted(
        self, study: ChangedStudy, told: Collection[str], *, without_pixels: bool
    ) -> list[str]:
        """Return who is to be told of a study, and can be."""
        wanted = [
            each
            for each in self._carriers
            if each.wants(study.verdict, study.calling_ae_title)
            # What it was told before may not be true any more.
            or (each.name in told and not each.tells_failures)
        ]
        # It would be given up at once, and ring for good: nobody could have it sent.
        if left := [each.name for each in wanted if each.needs_pixels and without_pixels]:
            log.warning(
                "results_not_sent",
                study_instance_uid=study.study_instance_uid,
                destinations=left,
                explanation="a retention rule removed its pixels: have the PACS send it again, and "
                "then nightread resend",
            )
        return [each.name for each in wanted if each.name not in left]

    def deliver(self, carrier: Carrier) -> tuple[int, bool]:
        """Try what is due somewhere.

        Returns
        -------
        int, bool
            How many deliveries succeeded, and whether anybody is there at all.
        """
        done, tried = 0, set[int]()
        while not self._stopped.is_set():
            delivery = self._next(carrier, tried)
            if delivery is None:
                break
            tried.add(delivery.row)
            try:
                refusals = carrier.carry(delivery)
            except AssociationError as error:
                if error.trouble == Trouble.NOTHING_TAKEN:
                    self._failed(carrier, delivery, [Refusal(str(error), is_for_good=True)])
                    continue
                self._failed(carrier, delivery, [Refusal(str(error), is_for_good=False)])
                return done, False  # the others would wait for it as long
            except (NightreadError, OSError) as error:
                refusals = [Refusal(str(error), is_for_good=False)]
            except Exception as error:
                # Whatever it is, the next study is another one. The message may hold a patient.
                log.exception("delivery_crashed", study_instance_uid=delivery.study_instance_uid)
                refusals = [Refusal(f"it failed with {type(error).__name__}", is_for_good=False)]
            if refusals:
                self._failed(carrier, delivery, refusals)
            else:
                done += 1
                log.info(
                    "delivered",
                    destination=carrier.name,
                    study_instance_uid=delivery.study_instance_uid,
                )
                with self._records.begin() as session:
                    deliveries.settle(session, delivery, DeliveryState.DELIVERED, _now())
                DELIVERIES.labels(carrier.name, DeliveryState.DELIVERED.value).inc()
        return done, True

    def _next(self, carrier: Carrier, tried: set[int]) -> Delivery | None:
        """Take what is due next, if anything is that was not tried in this round."""
        if len(tried) >= _MOST_IN_A_ROUND:
            return None
        now = _now()
        with self._records.read() as session:
            if not deliveries.is_any_due(session, carrier.name, now):
                return None
        with self._records.begin() as session:
            return deliveries.take_due(session, carrier.name, now, _LEASE, tried)

    def _serve(self, carrier: Carrier, every_seconds: float) -> None:
        failures, pause = 0, every_seconds
        while not self._stopped.wait(pause):
            is_there = True
            try:
                _, is_there = self.deliver(carrier)
            except RecordsError as error:
                log.warning("deliveries_not_read", destination=carrier.name, error=str(error))
            failures = 0 if is_there else failures + 1
            away = min(every_seconds * 2**failures, _LONGEST_AWAY.total_seconds())
            pause = away if failures else every_seconds

    def _failed(self, carrier: Carrier, delivery: Delivery, refusals: Sequence[Refusal]) -> None:
        now = _now()
        error = "; ".join(sorted({each.explanation for each in refusals}))
        for_good = all(each.is_for_good for each in refusals)
        too_long = now - delivery.first_due_at > dt.timedelta(days=carrier.give_up_days)
        state = DeliveryState.DEAD if for_good or too_long else DeliveryState.DUE
        pause = pause_after(delivery.attempts + 1, self._shortest_pause)
        DELIVERIES.labels(carrier.name, state.value).inc()
        log.warning(
            "delivery_failed",
            destination=carrier.name,
            study_instance_uid=delivery.study_instance_uid,
            error=error,
            state=state.value,
        )
        with self._records.begin() as session:
            deliveries.settle(session, delivery, state, now, error=error, due_at=now + pause)
            if state is DeliveryState.DEAD and not carrier.tells_failures:
                told = [each.name for each in self._carriers if each.tells_failures]
                deliveries.tell(session, delivery, told, now)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
