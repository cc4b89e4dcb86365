"""Tells a program of flagged studies and failed deliveries, by HTTP."""

from __future__ import annotations

import datetime as dt
import hmac
import json

import httpx
from pydantic import Field, field_validator

from pacs.notice import Notice
from pacs.notifier import Answer, NoticePlace, Notifier
from pacs.refusal import Refusal
from screening.errors import DeliveryError
from screening.web_address import require_safe

_TIMEOUT_SECONDS = 10.0
_GONE = 410


class WebhookPlace(NoticePlace):
    """A program that is told.

    Attributes
    ----------
    url
        That a notice is posted to.
    secret
        With which it is signed.
    with_patient
        Whether it is told who the patient is.
    """

    url: str
    secret: str = Field(min_length=16, repr=False)
    with_patient: bool = False

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        return require_safe(value)


class Webhook(Notifier[WebhookPlace]):
    """Posts notices to one program; its parameters are those of `Notifier`."""

    def _tell(self, notice: Notice) -> Answer:
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
            return None, Refusal(why, is_for_good=status == _GONE)
        return status, None

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
