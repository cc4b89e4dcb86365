"""An entry of the audit as a DICOM audit message, PS3.15 A.5."""

from __future__ import annotations

import datetime as dt
import re
from base64 import b64encode
from dataclasses import dataclass
from ipaddress import ip_address
from xml.etree.ElementTree import Element, SubElement, tostring

from screening.auditing.kinds import DCM, KINDS, OWN, RFC, Code, Family, Kind
from screening.errors import RelayError
from screening.records.audit import AuditEntry, Event
from screening.records.audit_relay import Unsent

# What XML 1.0, 2.2, cannot hold.
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STUDY = Code("110180", DCM, "Study Instance UID")
_PATIENT = Code("2", RFC, "Patient Number")
_SEARCH = Code("10", RFC, "Search Criteria")
_URI = Code("12", RFC, "URI")
_SOURCE = Code("110153", DCM, "Source Role ID")
_DESTINATION = Code("110152", DCM, "Destination Role ID")
_MEDIA = Code("110154", DCM, "Destination Media")
_BY_NETWORK = Code("110037", DCM, "URI")
_APPLICATION_SERVER = "4"  # PS3.15 A.5.1.2.1
# Of entries that no other machine asked for: a command, the night, the hospital's feed.
_OUR_PLACES = frozenset({"console", "night", "feed"})


@dataclass(frozen=True, slots=True)
class Source:
    """Who reports: our AE title, and the host on whose behalf."""

    ae_title: str
    host: str


def audit_message(unsent: Unsent, source: Source) -> str:
    """Return an entry as an AuditMessage, PS3.15 A.5.1, of the kind that `KINDS` gives it.

    It names the study and the patient's ID where A.5.3 asks for them, never a patient's name.

    Raises
    ------
    RelayError
        If a newer release wrote the entry, and this one does not know what it means.
    """
    entry = unsent.entry
    kind = KINDS[_known(entry)]
    root = Element("AuditMessage")
    _identify(root, entry, kind)
    _PARTICIPANTS[kind.family](root, entry, source)
    reporter = SubElement(root, "AuditSourceIdentification", AuditSourceID=source.ae_title)
    SubElement(reporter, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    _OBJECTS[kind.family](root, unsent, kind)
    return '<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="unicode")


def _known(entry: AuditEntry) -> Event:
    try:
        return Event(entry.event)
    except ValueError:
        raise RelayError(
            f"entry {entry.number} of the audit is {entry.event}, which this release does not "
            "know: a newer one wrote it; start the newer one's relay, nothing is lost"
        ) from None


def _identify(root: Element, entry: AuditEntry, kind: Kind) -> None:
    event = SubElement(
        root,
        "EventIdentification",
        EventActionCode=kind.action,
        EventDateTime=entry.at.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=str(kind.outcome),
    )
    _code(event, "EventID", kind.event)
    if kind.type is not None:
        _code(event, "EventTypeCode", kind.type)
    else:
        words = entry.event.replace("_", " ").capitalize()
        _code(event, "EventTypeCode", Code(entry.event, OWN, words))
    if kind.family is Family.AUTHENTICATION and entry.detail:
        SubElement(event, "EventOutcomeDescription").text = _clean(entry.detail)


def _code(parent: Element, name: str, code: Code) -> None:
    values = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    SubElement(parent, name, values)


def _person(
    root: Element,
    entry: AuditEntry,
    source: Source,
    *,
    role: Code | None = None,
    requests: bool = True,
) -> None:
    """Add who did it, as loginName@domain-name, A.5.2.1."""
    name = entry.actor if "@" in entry.actor else f"{entry.actor}@{source.host}"
    _participant(root, name, _where(entry, source), requests=requests, role=role, name=entry.actor)


def _process(root: Element, source: Source, role: Code | None = None) -> None:
    where = _access_point(source.host)
    made = _participant(root, source.ae_title, where, requests=False, role=role, name="nightread")
    made.set("AlternativeUserID", f"AETITLES={source.ae_title}")


def _participant(
    root: Element,
    user: str,
    where: dict[str, str],
    *,
    requests: bool,
    role: Code | None = None,
    name: str = "",
) -> Element:
    values = {"UserID": _clean(user), "UserIsRequestor": str(requests).lower(), **where}
    made = SubElement(root, "ActiveParticipant", values)
    if name:
        made.set("UserName", _clean(name))
    if role is not None:
        _code(made, "RoleIDCode", role)
    return made


def _where(entry: AuditEntry, source: Source) -> dict[str, str]:
    return _access_point(source.host if entry.address in _OUR_PLACES else entry.address)


def _access_point(address: str) -> dict[str, str]:
    try:
        ip_address(address)
    except ValueError:
        kind = "1"  # a machine's name
    else:
        kind = "2"
    return {"NetworkAccessPointID": _clean(address), "NetworkAccessPointTypeCode": kind}


def _object(
    root: Element, kind: str, role: str, identifier: Code, value: str, name: str | None = None
) -> Element:
    made = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(value),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _code(made, "ParticipantObjectIDTypeCode", identifier)
    if name is not None:
        SubElement(made, "ParticipantObjectName").text = _clean(name)
    return made


def _detail(made: Element, name: str, value: str) -> None:
    if value:
        SubElement(made, "ParticipantObjectDetail", type=name, value=_coded(value))


def _coded(value: str) -> str:
    return b64encode(value.encode("utf-8", "replace")).decode()


def _clean(value: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", value)


def _who_alone(root: Element, entry: AuditEntry, source: Source) -> None:
    _person(root, entry, source)


def _who_signs_in(root: Element, entry: AuditEntry, source: Source) -> None:
    """A.5.3.12: who is or claims to be somebody, and what authenticates them."""
    _person(root, entry, source)
    _process(root, source)


def _who_asks(root: Element, entry: AuditEntry, source: Source) -> None:
    """A.5.3.10: the node that asks, we who answer, and for whom it asks."""
    where = _where(entry, source)
    _participant(root, where["NetworkAccessPointID"], where, requests=False, role=_SOURCE)
    _process(root, source, _DESTINATION)
    _person(root, entry, source)


def _who_takes_away(root: Element, entry: AuditEntry, source: Source) -> None:
    """A.5.3.4: who exports, and to what: a file, over the network."""
    _person(root, entry, source, role=_SOURCE)
    where = _where(entry, source)
    media = _participant(root, "a file of the list (CSV)", where, requests=False, role=_MEDIA)
    _code(SubElement(media, "MediaIdentifier"), "MediaType", _BY_NETWORK)


def _who_alerts(root: Element, entry: AuditEntry, source: Source) -> None:
    """A.5.3.11: we who report, and who did it."""
    _process(root, source)
    _person(root, entry, source, requests=False)


_PARTICIPANTS = {
    Family.AUTHENTICATION: _who_signs_in,
    Family.ACCESS: _who_alone,
    Family.QUERY: _who_asks,
    Family.EXPORT: _who_takes_away,
    Family.ALERT: _who_alerts,
    Family.AUDIT_LOG: _who_alone,
}


def _nothing(root: Element, unsent: Unsent, kind: Kind) -> None:
    """A.5.3.12: no object is needed."""


def _study_and_patient(root: Element, unsent: Unsent, kind: Kind) -> None:
    """A.5.3.6. The schema wants a name beside each identifier: the identifier is repeated."""
    uid, patient = unsent.entry.study_instance_uid or "", unsent.patient_id or ""
    study = _object(root, "2", "3", _STUDY, uid, uid)
    _detail(study, "detail", unsent.entry.detail)
    _object(root, "1", "1", _PATIENT, patient, patient)


def _question(root: Element, unsent: Unsent, kind: Kind) -> None:
    """A.5.3.10, note 2: a query that is none of DICOM's."""
    asked = _object(root, "2", "3", _SEARCH, kind.subject)
    SubElement(asked, "ParticipantObjectQuery").text = _coded(unsent.entry.detail)


def _what_is_alarming(root: Element, unsent: Unsent, kind: Kind) -> None:
    made = _object(root, "2", "13", _URI, kind.subject, kind.subject)
    _detail(made, "Alert Description", unsent.entry.detail or unsent.entry.event)


def _audit_itself(root: Element, unsent: Unsent, kind: Kind) -> None:
    """A.5.3.2."""
    _object(root, "2", "13", _URI, kind.subject, "Security Audit Log")


_OBJECTS = {
    Family.AUTHENTICATION: _nothing,
    Family.ACCESS: _study_and_patient,
    Family.QUERY: _question,
    Family.EXPORT: _question,
    Family.ALERT: _what_is_alarming,
    Family.AUDIT_LOG: _audit_itself,
}
