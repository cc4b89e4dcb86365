"""Brings results to destinations, however long they are away.

A study that has changed is planned for every destination that wants it; each destination has a
thread of its own, so that one that is away holds up nobody. What it has acknowledged is never sent
again, unless somebody asks for it: the UIDs of our objects follow from their content.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from pacs.commitment_request import request_commitment
from pacs.destinations import Destination
from pacs.results.identity import Kind, series_uid
from pacs.results.objects import ResultObject, make_objects
from pacs.results.screened import ScreenedStudy, open_screened
from pacs.send import Sent, send
from pacs.survey import Part10File
from screening.archive.archive import Archive
from screening.domain.commitment import Reference
from screening.domain.delivery import SHORTEST_PAUSE, DeliveryState, pause_after
from screening.errors import NightreadError, RecordsError
from screening.records import deliveries
from screening.records.deliveries import DeliveredObject, Delivery
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.reviews import standing_reviews

log = structlog.get_logger(__name__)

_COMMITMENT_SECONDS = 20.0

# Whoever names the first destination after a year does not want the year at once.
_NEWS_FOR = dt.timedelta(days=7)


class Courier:
    """Plans and makes deliveries.

    Parameters
    ----------
    records, archive
        What there is to tell, and the images that it is about.
    destinations
        Who is told.
    own_ae_title
        Ours.
    quiet
        For how long a study must not have changed: it is told once, not image by image.
    shortest_pause
        After the first failure; doubled with each further one.
    """

    def __init__(
        self,
        records: Records,
        archive: Archive,
        destinations: Sequence[Destination],
        own_ae_title: str,
        *,
        quiet: dt.timedelta = dt.timedelta(seconds=10),
        shortest_pause: dt.timedelta = SHORTEST_PAUSE,
    ) -> None:
        self._records = records
        self._archive = archive
        self._destinations = tuple(destinations)
        self._own_ae_title = own_ae_title
        self._quiet = quiet
        self._shortest_pause = shortest_pause
        self._stopped = threading.Event()

    def run(self, every_seconds: float = 2.0) -> None:
        """Plan and deliver until `stop`."""
        threads = [
            threading.Thread(target=self._serve, args=(each, every_seconds), name=each.name)
            for each in self._destinations
        ]
        for thread in threads:
            thread.start()
        while not self._stopped.wait(every_seconds):
            try:
                self.plan()
            except RecordsError as error:
                log.warning("deliveries_not_planned", error=str(error))
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Have `run` end after what is on its way."""
        self._stopped.set()

    def plan(self) -> int:
        """Make due what is new, and return of how many studies."""
        now = _now()
        with self._records.begin() as session:
            forgotten = deliveries.forget_changes(session, now - _NEWS_FOR)
        if forgotten:
            log.warning("results_too_old_to_send", studies=forgotten)
        with self._records.read() as session:
            changed = deliveries.changed_studies(session, now - self._quiet)
        planned = 0
        for study in changed:
            wanted = [
                each.name
                for each in self._destinations
                if each.wants(study.verdict, study.calling_ae_title)
            ]
            with self._records.begin() as session:
                planned += deliveries.plan(session, study, wanted, now)
        return planned

    def deliver(self, destination: Destination) -> int:
        """Try what is due at a destination, and return how many deliveries succeeded."""
        with self._records.read() as session:
            waiting = deliveries.due(session, destination.name, _now())
        done = 0
        for delivery in waiting:
            if self._stopped.is_set():
                break
            done += self._try(destination, delivery)
        return done

    def _serve(self, destination: Destination, every_seconds: float) -> None:
        while not self._stopped.wait(every_seconds):
            try:
                self.deliver(destination)
            except Exception:
                # Whatever it is, the other destinations and the next round go on.
                log.exception("destination_failed", destination=destination.name)

    def _try(self, destination: Destination, delivery: Delivery) -> bool:
        """Make one attempt, and record how it ended."""
        try:
            refusals = self._attempt(destination, delivery)
        except (NightreadError, OSError) as error:
            self._failed(destination, delivery, str(error), for_good=False)
            return False
        if refusals:
            for_good = all(_is_for_good(each) for each in refusals)
            words = "; ".join(sorted({each.explanation for each in refusals}))
            self._failed(destination, delivery, words, for_good=for_good)
            return False
        with self._records.begin() as session:
            deliveries.settle(session, delivery, DeliveryState.DELIVERED, _now())
        return True

    def _failed(
        self, destination: Destination, delivery: Delivery, error: str, *, for_good: bool
    ) -> None:
        now = _now()
        too_long = now - delivery.first_due_at > dt.timedelta(days=destination.give_up_days)
        state = DeliveryState.DEAD if for_good or too_long else DeliveryState.DUE
        pause = pause_after(delivery.attempts + 1, self._shortest_pause)
        log.warning(
            "delivery_failed",
            destination=destination.name,
            study_instance_uid=delivery.study_instance_uid,
            error=error,
            state=state.value,
        )
        with self._records.begin() as session:
            deliveries.settle(session, delivery, state, now, error=error, due_at=now + pause)

    def _attempt(self, destination: Destination, delivery: Delivery) -> list[Sent]:
        """Send what has not arrived, over one association, and return what was refused."""
        study = self._study(delivery)
        if study is None:
            return []
        objects = self._objects(destination, delivery, study)
        if not objects:
            return []
        refusals: list[Sent] = []
        with tempfile.TemporaryDirectory(prefix="nightread-delivery-") as folder:
            files = {each.sop_instance_uid: each for each in objects}
            paths = [_write(each, Path(folder)) for each in objects]
            arrived: list[DeliveredObject] = []
            try:
                for sent in send(paths, destination.peer(self._own_ae_title)):
                    if sent.accepted:
                        arrived.append(_delivered(files[sent.sop_instance_uid], sent, study))
                    else:
                        refusals.append(sent)
            finally:
                if arrived:
                    with self._records.begin() as session:
                        deliveries.acknowledge(session, delivery, arrived)
        if destination.commitment and not refusals:
            self._ask_commitment(destination, delivery, arrived)
        return refusals

    def _study(self, delivery: Delivery) -> ScreenedStudy | None:
        with self._records.read() as session:
            dossier = open_dossier(session, delivery.study_instance_uid)
            reviews = standing_reviews(session, delivery.study_instance_uid)
        return None if dossier is None else open_screened(dossier, self._archive, reviews)

    def _objects(
        self, destination: Destination, delivery: Delivery, study: ScreenedStudy
    ) -> list[ResultObject]:
        """Make what the destination wants and has not acknowledged yet."""
        reports = [each for each in delivery.objects if each.kind == Kind.REPORT]
        is_told = bool(reports) and reports[-1].version == study.version
        before = reports[-2:-1] if is_told else reports[-1:]
        kinds = set(destination.objects)
        if is_told and not delivery.again:
            kinds.discard(Kind.REPORT)
        made = make_objects(
            study,
            kinds,
            predecessor=_predecessor(study, before[0]) if before else None,
            planar=destination.planar_report,
        )
        arrived = {each.sop_instance_uid for each in delivery.objects}
        return [each for each in made if delivery.again or each.sop_instance_uid not in arrived]

    def _ask_commitment(
        self, destination: Destination, delivery: Delivery, arrived: Sequence[DeliveredObject]
    ) -> None:
        """Ask the destination to say that it keeps what it took; it has arrived in any case."""
        references = [Reference(each.sop_class_uid, each.sop_instance_uid) for each in arrived]
        peer = destination.peer(self._own_ae_title)
        try:
            answer = request_commitment(peer, references, _COMMITMENT_SECONDS)
        except NightreadError as error:
            log.warning("commitment_not_had", destination=destination.name, error=str(error))
            return
        if answer is not None and answer.held:
            with self._records.begin() as session:
                deliveries.commit_objects(session, delivery, answer.held, _now())


def _predecessor(study: ScreenedStudy, report: DeliveredObject) -> Dataset:
    found = Dataset()
    found.StudyInstanceUID = study.uid
    found.SeriesInstanceUID = series_uid(study.uid, Kind.REPORT)
    found.SOPClassUID = report.sop_class_uid
    found.SOPInstanceUID = report.sop_instance_uid
    return found


def _write(made: ResultObject, folder: Path) -> Part10File:
    path = folder / f"{made.sop_instance_uid}.dcm"
    made.dataset.save_as(path, enforce_file_format=True)
    return Part10File(path, made.sop_class_uid, made.sop_instance_uid, str(ExplicitVRLittleEndian))


def _delivered(made: ResultObject, sent: Sent, study: ScreenedStudy) -> DeliveredObject:
    return DeliveredObject(
        kind=made.kind.value,
        sop_class_uid=made.sop_class_uid,
        sop_instance_uid=made.sop_instance_uid,
        version=study.version,
        status=sent.status or 0,
        acknowledged_at=_now(),
        times=1,
        committed_at=None,
    )


def _is_for_good(refusal: Sent) -> bool:
    """Say whether a refusal would be the same an hour later.

    The kind is not taken; or, PS3.4 Table B.2-1 and PS3.7 Annex C, the data set does not match its
    SOP Class, cannot be understood, or its UID or SOP Class are not taken or we are not authorised.
    """
    status = refusal.status
    if status is None:
        return not refusal.is_taken
    return status & 0xFF00 == 0xA900 or status >> 12 == 0xC or status in (0x0117, 0x0122, 0x0124)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
