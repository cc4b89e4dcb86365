"""Brings the objects of a study to a PACS by C-STORE or STOW-RS, and asks whether it keeps them."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from pacs.commitment_request import request_commitment
from pacs.destinations import Destination
from pacs.outgoing import outgoing_folder
from pacs.refusal import Refusal
from pacs.results.film import read_film
from pacs.results.identity import Kind, series_uid
from pacs.results.objects import Plan, ResultObject, plan_objects
from pacs.results.screened import ScreenedStudy, open_screened
from pacs.send import Sent, send
from pacs.stow import stow
from pacs.survey import Part10File
from screening.archive.archive import Archive
from screening.dicom.decoders import Decoders
from screening.domain.commitment import Reference
from screening.errors import DeliveryError, NightreadError
from screening.records.delivered import (
    DeliveredObject,
    acknowledge,
    commit_objects,
    disown_objects,
)
from screening.records.deliveries import Delivery
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.reviews import reviews_of, standing_reviews

log = structlog.get_logger(__name__)

# A courier that is killed sends again what it has not noted.
_NOTED_EVERY_SECONDS = 1.0
# For its report on the same association; many report later, on one of their own.
_COMMITMENT_SECONDS = 5.0
# It has what we sent: its answer to an earlier attempt never reached us.
_DUPLICATE = 0x0111


class Storage:
    """One PACS that results are stored in.

    Parameters
    ----------
    records, archive
        What there is to tell, and the images that it is about.
    destination
        Where it goes.
    own_ae_title
        Ours.
    decoders
        Who decodes radiographs for it.
    outgoing
        A folder for what is on its way.
    """

    tells_failures = False
    needs_pixels = True

    def __init__(
        self,
        records: Records,
        archive: Archive,
        destination: Destination,
        own_ae_title: str,
        *,
        decoders: Decoders,
        outgoing: Path,
    ) -> None:
        self._records = records
        self._archive = archive
        self._destination = destination
        self._own_ae_title = own_ae_title
        self._decoders = decoders
        self._outgoing = outgoing
        self._cut = threading.Event()
        self.name = destination.name
        self.give_up_days = destination.give_up_days

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        """Say whether it gets the results of a study."""
        return self._destination.wants(verdict, calling_ae_title)

    def carry(self, delivery: Delivery) -> list[Refusal]:
        """Send what has not arrived, over one association, and return what was refused.

        Raises
        ------
        NightreadError
            If there is no association, or the study cannot be read just now.
        """
        study = self._study(delivery)
        if study is None or not study.images:
            return []
        if removed := study.removal:
            return [Refusal(f"{removed}: results cannot be made without them", is_for_good=True)]
        if study.dossier.case.patients > 1:
            why = f"its images name {study.dossier.case.patients} patients: settle that first"
            return [Refusal(why, is_for_good=True)]
        if study.dossier.case.images_waiting:
            raise DeliveryError("images came since it was planned: it is told once they are scored")
        with outgoing_folder(self._outgoing) as folder:
            made, undrawn = self._make(delivery, study, folder)
            refused, arrived = self._store(delivery, study, made) if made else ([], [])
        if self._destination.commitment and not refused:
            before = [each for each in delivery.objects if each.committed_at is None]
            new = {each.sop_instance_uid for each in arrived}
            asked = [*arrived, *(each for each in before if each.sop_instance_uid not in new)]
            refused = self._ask_commitment(delivery, asked) if asked else []
        return [*undrawn, *refused]

    def _make(
        self, delivery: Delivery, study: ScreenedStudy, folder: Path
    ) -> tuple[dict[str, tuple[Kind, Part10File]], list[Refusal]]:
        """Write what is to be sent, by SOP Instance UID, and say what could not be drawn."""
        made, undrawn = {}, []
        for plan in self._plans(delivery, study):
            try:
                found = plan.make()
            except DeliveryError as error:
                undrawn.append(Refusal(str(error), is_for_good=True))
                continue
            if found is not None:
                made[found.sop_instance_uid] = (found.kind, _write(found, folder))
        return made, undrawn

    def _store(
        self, delivery: Delivery, study: ScreenedStudy, made: Mapping[str, tuple[Kind, Part10File]]
    ) -> tuple[list[Refusal], list[DeliveredObject]]:
        """Send files, and record at once what was taken, whatever becomes of the rest."""
        refusals: list[Refusal] = []
        arrived: list[DeliveredObject] = []
        fresh: list[DeliveredObject] = []
        noted = time.monotonic()
        try:
            for sent in self._send([file for _, file in made.values()], study):
                kind, file = made[sent.sop_instance_uid]
                if sent.accepted or sent.status == _DUPLICATE:
                    fresh.append(_delivered(kind, file, sent, study))
                else:
                    # Without the peer's comment, which may hold a patient.
                    refusals.append(Refusal(sent.explanation.split(" (")[0], _is_for_good(sent)))
                if time.monotonic() - noted > _NOTED_EVERY_SECONDS:
                    arrived += self._note(delivery, fresh)
                    noted = time.monotonic()
        finally:
            arrived += self._note(delivery, fresh)
        return refusals, arrived

    def _note(self, delivery: Delivery, fresh: list[DeliveredObject]) -> list[DeliveredObject]:
        """Record what has arrived since the last time, and return it."""
        noted = list(fresh)
        if noted:
            with self._records.begin() as session:
                acknowledge(session, delivery.row, noted)
        fresh.clear()
        return noted

    def _send(self, files: list[Part10File], study: ScreenedStudy) -> Iterator[Sent]:
        to = self._destination
        if to.stow_url:
            return stow(files, to.stow_url, study.uid, to.stow_token)
        return send(files, to.peer(self._own_ae_title), self._cut)

    def cut(self) -> None:
        """End what is on its way at once; what has arrived stays so."""
        self._cut.set()

    def _study(self, delivery: Delivery) -> ScreenedStudy | None:
        with self._records.read() as session:
            dossier = open_dossier(session, delivery.study_instance_uid)
            standing = standing_reviews(session, delivery.study_instance_uid)
            said = reviews_of(session, delivery.study_instance_uid)
        if dossier is None:
            return None
        said_at = max((each.at for each in said if each.sop_instance_uid is None), default=None)
        return open_screened(dossier, self._archive, standing, said_at)

    def _plans(self, delivery: Delivery, study: ScreenedStudy) -> Iterator[Plan]:
        """Yield what the destination wants and has not acknowledged yet."""
        reports = [each for each in delivery.objects if each.kind == Kind.REPORT]
        is_told = bool(reports) and reports[-1].version == study.version
        before = reports[-2:-1] if is_told else reports[-1:]
        kinds = set(self._destination.objects)
        if is_told and not delivery.again:
            kinds.discard(Kind.REPORT)
        arrived = {each.sop_instance_uid for each in delivery.objects}
        return plan_objects(
            study,
            kinds,
            predecessor=_predecessor(study, before[0]) if before else None,
            planar=self._destination.planar_report,
            arrived=() if delivery.again else arrived,
            film=partial(self._decoders.run, read_film),
        )

    def _ask_commitment(
        self, delivery: Delivery, arrived: Sequence[DeliveredObject]
    ) -> list[Refusal]:
        """Ask the destination to say that it keeps what it took; what it does not goes again."""
        references = [Reference(each.sop_class_uid, each.sop_instance_uid) for each in arrived]
        try:
            peer = self._destination.peer(self._own_ae_title)
            answer = request_commitment(peer, references, _COMMITMENT_SECONDS, self._cut)
        except NightreadError as error:
            log.warning("commitment_not_had", destination=self.name, error=str(error))
            return []
        if answer is None:
            return []
        with self._records.begin() as session:
            commit_objects(session, delivery.row, answer.held, _now())
            disown_objects(session, delivery.row, answer.failed)
        reasons = sorted({f"0x{reason:04X}" for reason in answer.failed.values()})
        why = f"it took {len(answer.failed)} objects and does not keep them: {', '.join(reasons)}"
        return [Refusal(why, is_for_good=False)] if answer.failed else []


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


def _delivered(kind: Kind, file: Part10File, sent: Sent, study: ScreenedStudy) -> DeliveredObject:
    return DeliveredObject(
        kind=kind.value,
        sop_class_uid=file.sop_class_uid,
        sop_instance_uid=file.sop_instance_uid,
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
