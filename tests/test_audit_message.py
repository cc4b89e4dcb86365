"""What each entry of the audit is as a DICOM audit message, PS3.15 A.5."""

from __future__ import annotations

import datetime as dt
from base64 import b64decode
from xml.etree.ElementTree import Element, fromstring

import pytest
from audit_schema import assert_valid
from filed_cases import file_study
from pydicom.sr._concepts_dict import concepts

from screening.auditing.kinds import DCM, KINDS, Code
from screening.auditing.message import Source, audit_message
from screening.auditing.syslog import framed, syslog_message
from screening.domain.account import Actor, Role
from screening.domain.prediction import Prediction
from screening.records import audit, audit_relay
from screening.records.audit import AuditEntry, Event
from screening.records.audit_relay import Unsent
from screening.records.engine import Records

AT = dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC)
SOURCE = Source("NIGHTREAD", "nightread.hospital")


def entry(event: Event, **values: str) -> AuditEntry:
    given = {"actor": "anna", "address": "10.1.2.3", "detail": "in words", **values}
    return AuditEntry(
        number=7,
        at=AT,
        event=event.value,
        study_instance_uid="1.2.3" if "110103" in KINDS[event].event.value else None,
        digest="d",
        **given,
    )


def message(event: Event, **values: str) -> Element:
    return fromstring(audit_message(Unsent(entry(event, **values), "P-1"), SOURCE))


def code(element: Element | None) -> str:
    assert element is not None
    return element.attrib["csd-code"]


def objects(root: Element) -> list[tuple[str, str, str, str]]:
    """Return of each object its kind, its role, its kind of identifier, its identifier."""
    return [
        (
            each.attrib["ParticipantObjectTypeCode"],
            each.attrib["ParticipantObjectTypeCodeRole"],
            code(each.find("ParticipantObjectIDTypeCode")),
            each.attrib["ParticipantObjectID"],
        )
        for each in root.findall("ParticipantObjectIdentification")
    ]


def participants(root: Element) -> list[tuple[str, str, str]]:
    """Return of each participant the user, whether it asked, and its role."""
    return [
        (
            each.attrib["UserID"],
            each.attrib["UserIsRequestor"],
            "".join(role.attrib["csd-code"] for role in each.findall("RoleIDCode")),
        )
        for each in root.findall("ActiveParticipant")
    ]


ANNA = "anna@nightread.hospital"
EXPECTED = {
    Event.SIGNED_IN: ("110114", "E", "110122", "0"),
    Event.SIGN_IN_FAILED: ("110114", "E", "110122", "4"),
    Event.SIGNED_OUT: ("110114", "E", "110123", "0"),
    Event.LISTED: ("110112", "E", "listed", "0"),
    Event.EXPORTED: ("110106", "R", "exported", "0"),
    Event.OPENED: ("110103", "R", "opened", "0"),
    Event.IMAGE_SHOWN: ("110103", "R", "image_shown", "0"),
    Event.REVIEWED: ("110103", "U", "reviewed", "0"),
    Event.REVIEW_TAKEN_BACK: ("110103", "U", "review_taken_back", "0"),
    Event.REFUSED: ("110113", "E", "110132", "4"),
    Event.USER_CHANGED: ("110113", "E", "110137", "0"),
    Event.TOKEN_CHANGED: ("110113", "E", "110137", "0"),
    Event.POINTS_SET: ("110113", "E", "110131", "0"),
    Event.MODEL_PROMOTED: ("110113", "E", "110131", "0"),
    Event.MODEL_ROLLED_BACK: ("110113", "E", "110131", "0"),
    Event.SHADOW_APPOINTED: ("110113", "E", "110131", "0"),
    Event.PIXELS_REMOVED: ("110105", "D", "pixels_removed", "0"),
    Event.PIXELS_KEPT: ("110103", "U", "pixels_kept", "0"),
    Event.RETENTION_RUN: ("110113", "E", "110132", "0"),
    Event.HELD: ("110103", "U", "held", "0"),
    Event.RELEASED: ("110103", "U", "released", "0"),
    Event.DEIDENTIFIED: ("110103", "R", "deidentified", "0"),
    Event.PATIENTS_MERGED: ("110113", "E", "110132", "0"),
    Event.IDENTITY_ADOPTED: ("110103", "U", "identity_adopted", "0"),
    Event.IDENTITY_UNDONE: ("110113", "E", "110132", "0"),
    Event.AUDIT_READ: ("110101", "R", "audit_read", "0"),
}


def test_every_event_has_a_message() -> None:
    assert set(KINDS) == set(Event)


@pytest.mark.parametrize("event", list(Event), ids=str)
def test_every_message_is_valid(event: Event) -> None:
    for detail in ("", "in words", 'é <&> "\x00\x1b[31m\ud800'):
        hostile = message(event, detail=detail, actor=f"anna{detail}", address="fe80::1")
        assert_valid(hostile)
        assert_valid(message(event, detail=detail, actor="console:root", address="console"))


@pytest.mark.parametrize("place", ["console", "night", "feed"])
@pytest.mark.parametrize("event", [Event.PIXELS_REMOVED, Event.PATIENTS_MERGED])
def test_what_we_do_ourselves_is_done_at_our_host(event: Event, place: str) -> None:
    root = message(event, actor="night", address=place)
    found = {each.get("NetworkAccessPointID") for each in root.iter("ActiveParticipant")}
    assert found == {"nightread.hospital"}


@pytest.mark.parametrize(("event", "expected"), EXPECTED.items(), ids=str)
def test_every_event_says_what_it_is_and_how_it_went(
    event: Event, expected: tuple[str, str, str, str]
) -> None:
    found = message(event).find("EventIdentification")
    assert found is not None
    assert (
        code(found.find("EventID")),
        found.attrib["EventActionCode"],
        code(found.find("EventTypeCode")),
        found.attrib["EventOutcomeIndicator"],
    ) == expected
    assert found.attrib["EventDateTime"] == "2026-05-04T03:02:01.000+00:00"


def test_codes_are_the_standards_with_its_meanings() -> None:
    """PS3.16 CID 400 names events, CID 401 and 403 types, as pydicom holds them."""
    known = {
        value: (meaning, contexts)
        for by_value in concepts["DCM"].values()
        for value, (meaning, contexts) in by_value.items()
    }

    def holds(found: Code, *contexts: int) -> bool:
        meaning, of = known[found.value]
        return meaning.lower() == found.meaning.lower() and bool(set(contexts) & set(of))

    for kind in KINDS.values():
        assert holds(kind.event, 400)
        assert kind.type is None or (kind.type.scheme == DCM and holds(kind.type, 401, 403))


def test_who_sees_a_study_is_told_with_the_study_and_the_patients_id_alone() -> None:
    """A.5.3.6."""
    root = message(Event.OPENED)
    assert objects(root) == [("2", "3", "110180", "1.2.3"), ("1", "1", "2", "P-1")]
    assert participants(root) == [(ANNA, "true", "")]
    [who] = root.findall("ActiveParticipant")
    assert who.attrib["NetworkAccessPointID"] == "10.1.2.3"
    assert who.attrib["NetworkAccessPointTypeCode"] == "2"


def test_who_signs_in_is_told_with_where_from() -> None:
    """A.5.3.12: no object; where the person sits is needed."""
    root = message(Event.SIGN_IN_FAILED, detail="no account")
    assert objects(root) == []
    assert participants(root) == [(ANNA, "true", ""), ("NIGHTREAD", "false", "")]
    assert all("NetworkAccessPointID" in each.attrib for each in root.findall("ActiveParticipant"))
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "no account"


def test_who_asks_for_a_list_is_told_with_the_question() -> None:
    """A.5.3.10: who asks, who answers, for whom."""
    root = message(Event.LISTED, detail="verdict is fracture")
    assert participants(root) == [
        ("10.1.2.3", "false", "110153"),
        ("NIGHTREAD", "false", "110152"),
        (ANNA, "true", ""),
    ]
    asked = root.findtext(".//ParticipantObjectQuery")
    assert b64decode(str(asked)) == b"verdict is fracture"


def test_what_leaves_as_a_file_is_an_export() -> None:
    """A.5.3.4: who exports, and to what medium."""
    root = message(Event.EXPORTED)
    assert [role for _, _, role in participants(root)] == ["110153", "110154"]
    assert code(root.find(".//MediaType")) == "110037"


def test_what_is_alarming_is_told_with_who_did_it() -> None:
    """A.5.3.11: we report; who did it requests nothing; the alert is described."""
    root = message(Event.REFUSED, detail="GET /audit")
    assert participants(root) == [("NIGHTREAD", "false", ""), (ANNA, "false", "")]
    assert objects(root) == [("2", "13", "12", "nightread:worklist")]
    detail = root.find(".//ParticipantObjectDetail[@type='Alert Description']")
    assert detail is not None
    assert b64decode(detail.attrib["value"]) == b"GET /audit"


def test_who_reads_the_audit_is_told() -> None:
    """A.5.3.2."""
    root = message(Event.AUDIT_READ)
    assert objects(root) == [("2", "13", "12", "nightread:audit")]
    assert root.findtext(".//ParticipantObjectName") == "Security Audit Log"


def test_an_id_of_the_hospital_stays_as_it_is() -> None:
    assert participants(message(Event.OPENED, actor="b@x.org"))[0][0] == "b@x.org"


def test_the_records_know_the_patient_of_an_entry(records: Records) -> None:
    uid = file_study(records, "1.1", Prediction(0.9))
    actor = Actor("anna", Role.VIEWER, "10.1.2.3")
    with records.begin() as session:
        audit.note(session, actor, Event.OPENED, AT, study_instance_uid="1.1")
        audit.note(session, actor, Event.OPENED, AT, study_instance_uid="9.9")
        audit.note(session, actor, Event.LISTED, AT)
    with records.read() as session:
        found = audit_relay.read_unsent(session, 10)
    assert [each.entry.study_instance_uid for each in found] == ["1.1", "9.9", None], uid
    assert [each.patient_id is not None for each in found] == [True, False, False]
    [root] = [fromstring(audit_message(found[1], SOURCE))]
    assert_valid(root)


def test_turns_are_taken_on_both_databases(records: Records) -> None:
    later = AT + dt.timedelta(minutes=1)
    with records.begin() as session:
        assert audit_relay.take_turn(session, "a", AT, later)
        assert audit_relay.take_turn(session, "a", AT, later)
        assert not audit_relay.take_turn(session, "b", AT, later)
        assert audit_relay.take_turn(session, "b", later + dt.timedelta(seconds=1), later)
        assert not audit_relay.note_sent(session, "a", 5, AT)
        assert audit_relay.note_sent(session, "b", 5, AT)
        audit.note(session, Actor("anna", Role.VIEWER, "here"), Event.LISTED, AT)
        assert audit_relay.read_lag(session) == audit_relay.Lag(0, None)
        assert audit_relay.note_sent(session, "b", 0, AT)
        assert audit_relay.read_lag(session) == audit_relay.Lag(1, AT)


def test_a_frame_begins_with_its_length() -> None:
    """RFC 5425, 4.3: of octets, not of characters."""
    made = syslog_message("é", AT, "a b", failed=True)
    assert made.startswith(b"<84>1 2026-05-04T03:02:01.000000Z a-b nightread - DICOM+RFC3881 - ")
    assert made.endswith(b"\xef\xbb\xbf\xc3\xa9")
    assert framed(made) == str(len(made)).encode() + b" " + made
