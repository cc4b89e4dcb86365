"""A night in records alone: senders and workers at once, without files or a network."""

from __future__ import annotations

import datetime as dt
import queue
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from filed_cases import SCORER

from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.association import (
    Caller,
    Outcome,
    close_association,
    count_refusals,
    open_association,
    reject_association,
)
from screening.records.claims import claim
from screening.records.engine import Records
from screening.records.register import Register
from screening.records.results import Result, record_results

CALLER = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:11112")
_RESULTS: tuple[Result, ...] = (
    Prediction(0.9),
    Prediction(0.1),
    Exclusion(Reason.TOO_SMALL, "10 x 10"),
    Exclusion(Reason.ERROR, "it broke"),
)


@dataclass
class BusyNight:
    """Senders that repeat, contradict themselves and are refused, and workers behind them.

    Each answer that a sender got is counted on its side too.
    """

    records: Records
    senders: int = 3
    associations: int = 5
    images: int = 8
    answers: dict[str, int] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._register = Register(self.records)
        self._studies: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def run(self, watch: Callable[[], None]) -> None:
        """Run it to its end, and ``watch`` again and again meanwhile."""
        senders = [self._thread(self._send, number) for number in range(self.senders)]
        workers = [self._thread(self._work, number) for number in range(2)]
        watcher = self._thread(self._repeat, watch)
        for thread in senders:
            thread.join()
        self.over.set()
        for thread in (*workers, watcher):
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _thread(self, task: Callable[..., None], argument: object) -> threading.Thread:
        def run() -> None:
            try:
                task(argument)
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def _repeat(self, watch: Callable[[], None]) -> None:
        while not self.over.is_set():
            watch()

    def _send(self, number: int) -> None:
        chance = random.Random(number)
        for _ in range(self.associations):
            with self.records.begin() as session:
                row = open_association(session, CALLER, now())
            for _ in range(self.images):
                self._store(chance, row)
            with self.records.begin() as session:
                close_association(session, row, outcome=Outcome.RELEASED, now=now())
                reject_association(session, CALLER, now(), "not today")

    def _store(self, chance: random.Random, row: int) -> None:
        if chance.random() < 0.1:
            with self.records.begin() as session:
                count_refusals(session, row, "0xA700 no room")
            self._count("refused")
            return
        study, instance = chance.randrange(6), chance.randrange(40)
        # One in ten has other bytes than those that came, or will come, under its UID.
        content = int(chance.random() < 0.1)
        intake = self._register.take_in(
            InstanceHeader(
                f"1.2.{study}.{instance}",
                "1.2.840.10008.5.1.4.1.1.1.1",
                f"1.2.{study}",
                "1.2.840.10008.1.2.1",
            ),
            KeptFile(f"{study:02d}{instance:03d}{content:059d}", 1000),
            association_row=row,
            now=now(),
            announce_at=now(),
        )
        self._count(intake.arrival.value)
        self._studies.put(intake.study_row)

    def _work(self, number: int) -> None:
        chance = random.Random(100 + number)
        while not (self.over.is_set() and self._studies.empty()):
            try:
                study = self._studies.get(timeout=0.05)
            except queue.Empty:
                continue
            lease = dt.timedelta(seconds=30)
            with self.records.begin() as session:
                claimed = claim(session, study, worker="w", now=now(), lease=lease, limit=4)
                results = {image.row: chance.choice(_RESULTS) for image in claimed}
                if results:
                    record_results(session, study, results, SCORER, now())

    def _count(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] = self.answers.get(answer, 0) + 1


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
