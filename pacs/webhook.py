"""Tells a program of flagged studies and failed deliveries, by HTTP."""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections.abc import Collection

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pacs.notice import Notice, note_told, read_notice
from pacs.refusal import Refusal
from screening.domain.verdict import Verdict
from screening.errors import DeliveryError
from screening.records.deliveries import Delivery
from screening.records.engine import Records
from screening.web_address import require_safe

_TIMEOUT_SECONDS = 10.0
_GONE = 410


class WebhookPlace(BaseModel):
    """A program that is told.

    Attributes
    ----------
    name
        For people; it must not change.
    url
        That a notice is posted to.
    secret
        With which it is signed.
    verdicts
        Of which studies; what is given up is told of any.
    with_patient
        Whether it is told who the patient is.
    give_up_days
        After so long without success a notice is given up, and listed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")
    url: str
    secret: str = Field(min_length=16, repr=False)
    verdicts: tuple[Verdict, ...] = (Verdict.SUSPECTED, Verdict.DOUBTFUL)
    with_patient: bool = False
    give_up_days: float = Field(default=2.0, gt=0, le=365)

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        return require_safe(value)


class Webhook:
    """Posts notices to one program.

    Parameters
    ----------
    records
        What there is to tell.
    place
        Who is told.
    worklist_url
        Under which the worklist is reached; empty where unknown.
    storages
        Places of results: of what was given up there they are told as well.
    """

    tells_failures = True

    def __init__(
        self,
        records: Records,
        place: WebhookPlace,
        worklist_url: str,
        storages: Collection[str] = (),
    ) -> None:
        self._records = records
        self._place = place
        self._worklist_url = worklist_url
        self._storages = frozenset(storages)
        self.name = place.name
        self.give_up_days = place.give_up_days

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        """Say whether it is told of a study."""
        return verdict in self._place.verdicts

    def carry(self, delivery: Delivery) -> list[Refusal]:
        """Post what there is to tell.

        Raises
        ------
        DeliveryError
            If nobody answers.
        """
        notice = read_notice(self._records, delivery, self._worklist_url, self._storages)
        if notice is None:
            return []
        body = json.dumps(notice.as_dict(with_patient=self._place.with_patient)).encode()
        try:
            headers = self._headers(notice, body)
            # Its status is all that counts: whatever follows is not read.
            with httpx.stream(
                "POST", self._place.url, content=body, headers=headers, timeout=_TIMEOUT_SECONDS
            ) as answer:
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(f"nobody takes the notice: {type(error).__name__}") from error
        if not 200 <= status < 300:
            why = f"the notice was answered {status}"
            return [Refusal(why, is_for_good=status == _GONE)]
        note_told(self._records, delivery, notice, status)
        return []

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        """Return who sends it, and a signature over the moment and the body."""
        moment = str(int(dt.datetime.now(dt.UTC).timestamp()))
        signed = hmac.digest(self._place.secret.encode(), f"{moment}.".encode() + body, "sha256")
        return {
            "Content-Type": "application/json",
            "User-Agent": "Nightread",
            "X-Nightread-Notice": notice.uid,
            "X-Nightread-Signature": f"t={moment},v1={signed.hex()}",
        }
