"""Tells a system that speaks nothing else: HL7 version 2, ORU^R01, by MLLP."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
import ssl
import time
from pathlib import Path

from pydantic import Field, model_validator

from pacs.hl7_text import escaped
from pacs.host import Host
from pacs.notice import Notice
from pacs.notifier import Answer, NoticePlace, Notifier
from pacs.refusal import Refusal
from pacs.results.codes import SCHEME
from pacs.results.identity import NOTICE
from pacs.tls import client_context
from pacs.told import TOLD, ToldVerdicts
from screening.errors import DeliveryError
from screening.records.cases import Case
from screening.web_address import is_loopback

_BEGIN, _END = b"\x0b", b"\x1c\r"  # of a message, HL7 Minimal Lower Layer Protocol, release 1
_SECONDS = 20.0
_MOST_ANSWERED = 65_536
_TAKEN = ("AA", "CA")


class Hl7Place(NoticePlace):
    """A system that takes ORU^R01; a message names the patient.

    Attributes
    ----------
    host, port
        Where it takes MLLP.
    application, facility
        The receiver's, MSH-5 and MSH-6.
    tls, tls_authorities
        Whether it speaks TLS, and who vouches for it.
    in_the_clear
        Whether patients may go there without TLS; within this machine they may in any case.
    """

    host: Host = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    application: str = ""
    facility: str = ""
    verdicts: ToldVerdicts = TOLD
    tls: bool = False
    tls_authorities: Path | None = None
    in_the_clear: bool = False
    give_up_days: float = Field(default=7.0, gt=0, le=365)

    @model_validator(mode="after")
    def _is_meant(self) -> Hl7Place:
        if not (self.tls or self.in_the_clear or is_loopback(self.host)):
            raise ValueError("without tls each message names a patient in the clear: in_the_clear")
        return self

    def tls_context(self) -> ssl.SSLContext | None:
        """Return with whom we speak TLS; ``None`` without.

        Raises
        ------
        SendError
            If a certificate cannot be read.
        """
        return client_context(self.name, self.tls_authorities) if self.tls else None


class Hl7(Notifier[Hl7Place]):
    """Sends messages to one system; its parameters are those of `Notifier`."""

    tells_failures = False

    def _tell(self, notice: Notice) -> Answer:
        number = hashlib.sha256(notice.uid.encode()).hexdigest()[:20]
        message = oru(notice, number, self._place.application, self._place.facility)
        try:
            answer = self._exchange(message)
        except (OSError, ssl.SSLError) as error:
            raise DeliveryError(f"nobody takes the message: {type(error).__name__}") from error
        code, answered = _acknowledgement(answer)
        if answered != number:
            raise DeliveryError("another message than ours was acknowledged")
        if code not in _TAKEN:
            return None, Refusal(f"the message was answered {code}", is_for_good=False)
        return 0, None

    def _exchange(self, message: str) -> str:
        place = self._place
        with socket.create_connection((place.host, place.port), _SECONDS) as plain:
            context = place.tls_context()
            if context is None:
                return _sent(plain, message)
            with context.wrap_socket(plain, server_hostname=place.host) as line:
                return _sent(line, message)


def oru(notice: Notice, number: str, application: str, facility: str) -> str:
    """Return an unsolicited observation message, HL7 2.5.1, 7.3.1, its segments ended by CR.

    Parameters
    ----------
    notice
        What is told.
    number
        Of the message, MSH-10: at most 20 characters.
    application, facility
        Of the receiver.
    """
    case = notice.case
    at = _moment(case.decided_at or case.received_at)
    verdict = case.verdict.value
    values = [
        ("CWE", "VERDICT", "Verdict", f"{verdict.upper()}^{verdict.replace('_', ' ')}^{SCHEME}"),
        ("ST", "STUDY_UID", "Study Instance UID", escaped(case.study_instance_uid)),
        ("ST", "NOTICE", "Notice", NOTICE),
    ]
    if case.score is not None:
        values.insert(1, ("NM", "PROBABILITY", "Probability of a fracture", f"{case.score:.6f}"))
    to = escaped(application), escaped(facility)
    accession = escaped(case.accession_number or "")
    segments = [
        ["MSH", "^~\\&", "NIGHTREAD", "", *to, at, "", "ORU^R01^ORU_R01", number, "P", "2.5.1"]
        + [""] * 5
        + ["UNICODE UTF-8"],
        ["PID", "1", "", escaped(case.patient_id or ""), "", _name(case), "", "", _sex(case)],
        ["OBR", "1", "", accession, f"SCREENING^Screening for fractures^{SCHEME}", "", "", at]
        + [""] * 14
        + [at, "", "", "P"],
        *(
            ["OBX", str(place), kind, f"{code}^{meaning}^{SCHEME}", "", value, *[""] * 5, "P"]
            for place, (kind, code, meaning, value) in enumerate(values, 1)
        ),
    ]
    return "".join("|".join(segment) + "\r" for segment in segments)


def _name(case: Case) -> str:
    """Return the name's first component group, PN of DICOM, as XPN: family, given, middle."""
    parts = [*(case.patient_name or "").partition("=")[0].split("^"), *[""] * 5]
    family, given, middle, prefix, suffix = map(escaped, parts[:5])
    return "^".join((family, given, middle, suffix, prefix)).rstrip("^")


def _sex(case: Case) -> str:
    return case.patient_sex if case.patient_sex in ("F", "M", "O") else ""


def _moment(at: dt.datetime) -> str:
    return at.astimezone().strftime("%Y%m%d%H%M%S%z")


def _sent(line: socket.socket, message: str) -> str:
    """Send a message in its frame, and return the answer without its own."""
    line.settimeout(_SECONDS)
    line.sendall(_BEGIN + message.encode() + _END)
    came = bytearray()
    deadline = time.monotonic() + _SECONDS
    while _END not in came:
        line.settimeout(max(0.001, deadline - time.monotonic()))
        piece = line.recv(4096)
        if not piece or len(came) > _MOST_ANSWERED:
            raise ConnectionError("the answer does not end")
        came += piece
    content = bytes(came).partition(_END)[0]
    return content.lstrip(_BEGIN).decode("utf-8", "replace")


def _acknowledgement(answer: str) -> tuple[str, str]:
    """Return the code and the number of the message of an acknowledgement, MSA-1 and MSA-2."""
    for segment in answer.replace("\n", "\r").split("\r"):
        fields = segment.split("|")
        if fields[0] == "MSA" and len(fields) > 2:
            return fields[1], fields[2]
    return "", ""
