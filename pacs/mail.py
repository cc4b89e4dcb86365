"""Tells people of flagged studies and failed deliveries, by e-mail."""

from __future__ import annotations

import contextlib
import datetime as dt
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime

from pydantic import Field, model_validator

from pacs.notice import Notice
from pacs.notifier import NoticePlace, Notifier
from pacs.refusal import Refusal
from screening.errors import DeliveryError
from screening.web_address import is_loopback

_TIMEOUT_SECONDS = 20.0
_ACCEPTED = 250


class MailPlace(NoticePlace):
    """People who are told.

    Attributes
    ----------
    host, port, starttls
        Of the server that takes our mail, and whether it is talked to over TLS: it must be, beyond
        this machine.
    user, password
        With which we sign in there; empty for not at all.
    sender, to
        Addresses.
    with_patient
        Whether they are told who the patient is.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    starttls: bool = True
    user: str = ""
    password: str = Field(default="", repr=False)
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    to: tuple[str, ...] = Field(min_length=1)
    with_patient: bool = False

    @model_validator(mode="after")
    def _over_tls(self) -> MailPlace:
        if not self.starttls and not is_loopback(self.host):
            raise ValueError("starttls = false is enough on this machine alone")
        if any("@" not in each or any(c.isspace() for c in each) for each in self.to):
            raise ValueError("each of to must be an address, as anna@hospital.org")
        return self


class Mail(Notifier[MailPlace]):
    """Sends notices to some people; its parameters are those of `Notifier`."""

    def _tell(self, notice: Notice) -> int | Refusal:
        try:
            refused = self._send(self._message(notice))
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"the mail was not taken: {type(error).__name__}") from error
        if refused:
            # The others have it: once more would be twice to them.
            some = f"{refused} of {len(self._place.to)} addresses were refused"
            return Refusal(some, is_for_good=True)
        return _ACCEPTED

    def _send(self, message: EmailMessage) -> int:
        """Send a message, and return to how many addresses it cannot go."""
        place = self._place
        server = smtplib.SMTP(place.host, place.port, timeout=_TIMEOUT_SECONDS)
        try:
            if place.starttls:
                server.starttls(context=ssl.create_default_context())
            if place.user:
                server.login(place.user, place.password)
            return len(server.send_message(message))
        finally:
            # Whatever it answers to QUIT: what it took it has taken.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()

    def _message(self, notice: Notice) -> EmailMessage:
        case = notice.case
        message = EmailMessage()
        message["Subject"] = f"Nightread: {notice.sentence}"
        message["From"] = self._place.sender
        message["To"] = ", ".join(self._place.to)
        message["Date"] = format_datetime(dt.datetime.now(dt.UTC))
        message["Message-ID"] = f"<{notice.uid}@nightread>"
        lines = [
            f"{notice.sentence[0].upper()}{notice.sentence[1:]}.",
            f"Study {case.study_instance_uid}, {case.images_scored} of {case.images_received} "
            "images scored.",
        ]
        if case.score is not None:
            lines.append(f"Highest score {case.score:.2f}.")
        if self._place.with_patient:
            lines.append(
                f"Patient {case.patient_name or 'without a name'}, {case.patient_id or 'no ID'}, "
                f"accession number {case.accession_number or 'none'}."
            )
        lines += [f"{each.destination}: {each.last_error}" for each in notice.undelivered]
        if notice.address:
            lines.append(notice.address)
        lines.append("Not for diagnosis: a radiologist reads every image.")
        message.set_content("\n".join(lines) + "\n")
        return message
