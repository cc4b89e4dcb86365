"""Tells people of flagged studies and failed deliveries, by e-mail."""

from __future__ import annotations

import datetime as dt
from email.message import EmailMessage
from email.utils import format_datetime

from pacs.mail_server import MailServer
from pacs.notice import Notice
from pacs.notifier import Answer, NoticePlace, Notifier
from pacs.refusal import Refusal

_ACCEPTED = 250


class MailPlace(NoticePlace, MailServer):
    """People who are told.

    Attributes
    ----------
    with_patient
        Whether they are told who the patient is.
    """

    with_patient: bool = False


class Mail(Notifier[MailPlace]):
    """Sends notices to some people; its parameters are those of `Notifier`."""

    def _tell(self, notice: Notice) -> Answer:
        refused = self._place.send(self._message(notice))
        if refused:
            # The others have it: once more would be twice to them.
            some = f"{refused} of {len(self._place.to)} addresses were refused"
            return _ACCEPTED, Refusal(some, is_for_good=True)
        return _ACCEPTED, None

    def _message(self, notice: Notice) -> EmailMessage:
        case = notice.case
        message = EmailMessage()
        message["Subject"] = f"Nightread: {notice.sentence}"
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
