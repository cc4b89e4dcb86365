"""What is told of a study to people who watch no page: its verdict, and what did not arrive."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pacs.results.identity import uid_of
from screening.domain.delivery import DeliveryState
from screening.records.cases import Case, find_case
from screening.records.delivered import DeliveredObject, acknowledge
from screening.records.deliveries import Delivery, deliveries_of
from screening.records.engine import Records


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    Attributes
    ----------
    uid
        The same for the same news: who gets it twice can tell.
    version
        SHA-256 over what is new in it: the verdict, and which deliveries were given up.
    case
        The study.
    undelivered
        Deliveries of its results that were given up.
    address
        Of its page; empty where nobody said under which address the worklist is reached.
    """

    uid: str
    version: str
    case: Case
    undelivered: tuple[Delivery, ...]
    address: str

    @property
    def sentence(self) -> str:
        """What is to be told, without patient data."""
        verdict = self.case.verdict.value.replace("_", " ")
        if self.undelivered:
            places = ", ".join(each.destination for each in self.undelivered)
            return f"results did not arrive at {places}: a study that is {verdict}"
        return f"a study is {verdict}"

    def as_dict(self, *, with_patient: bool) -> dict[str, Any]:
        """Return the notice as an object of JSON's own types.

        Parameters
        ----------
        with_patient
            Whether to say who the patient is.
        """
        case = self.case
        told: dict[str, Any] = {
            "notice": self.uid,
            "study_instance_uid": case.study_instance_uid,
            "verdict": case.verdict.value,
            "score": case.score,
            "images_received": case.images_received,
            "images_scored": case.images_scored,
            "images_not_scored": case.images_not_scored,
            "decided_at": case.decided_at.isoformat() if case.decided_at else None,
            "undelivered": [
                {"destination": each.destination, "error": each.last_error}
                for each in self.undelivered
            ],
            "address": self.address,
            "for_diagnosis": False,
        }
        if with_patient:
            told["patient"] = {
                "name": case.patient_name,
                "id": case.patient_id,
                "sex": case.patient_sex,
                "accession_number": case.accession_number,
            }
        return told


def read_notice(
    records: Records, delivery: Delivery, worklist_url: str, storages: Collection[str] = ()
) -> Notice | None:
    """Return what there is to tell of a delivery's study; ``None`` if it was told before.

    Parameters
    ----------
    records
        Where the study is.
    delivery
        To whoever is told.
    worklist_url
        Under which the worklist is reached; empty where unknown.
    storages
        Places of results: of those that were given up there it is told as well.
    """
    uid = delivery.study_instance_uid
    with records.read() as session:
        case = find_case(session, uid)
        undelivered = [
            each
            for each in deliveries_of(session, uid)
            if each.state is DeliveryState.DEAD and each.destination in storages
        ]
    if case is None:
        return None
    version = _version(case, undelivered)
    if not delivery.again and any(each.version == version for each in delivery.objects):
        return None
    address = f"{worklist_url}/cases/{quote(uid, safe='')}" if worklist_url else ""
    name = uid_of("notice", uid, delivery.destination, version)
    return Notice(name, version, case, tuple(undelivered), address)


def note_told(records: Records, delivery: Delivery, notice: Notice, status: int) -> None:
    """Record that a notice was taken."""
    told = DeliveredObject(
        kind="notice",
        sop_class_uid="",
        sop_instance_uid=notice.uid,
        version=notice.version,
        status=status,
        acknowledged_at=dt.datetime.now(dt.UTC),
        times=1,
        committed_at=None,
    )
    with records.begin() as session:
        acknowledge(session, delivery.row, [told])


def _version(case: Case, undelivered: Sequence[Delivery]) -> str:
    given_up = [[each.destination, _moment(each.settled_at)] for each in undelivered]
    told = json.dumps([case.verdict.value, given_up])
    return hashlib.sha256(told.encode()).hexdigest()


def _moment(at: dt.datetime | None) -> str:
    return at.isoformat() if at else ""
