"""The schema of DICOM audit messages, PS3.15 A.5.1.1, and the messages of A.5.3, as checks."""

from __future__ import annotations

import datetime as dt
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

Check = Callable[[str], object]


def _among(*values: str) -> Check:
    return lambda value: value in values


def _up_to(last: int) -> Check:
    return _among(*map(str, range(1, last + 1)))


def _anything(value: str) -> bool:
    return True


def _is_base64(value: str) -> bool:
    b64decode(value, validate=True)
    return True


def _is_moment(value: str) -> bool:
    """A.5.2.5: with its time zone."""
    return dt.datetime.fromisoformat(value).tzinfo is not None


_boolean = _among("true", "false", "0", "1")


@dataclass(frozen=True)
class Shape:
    """An element: its attributes, those that must be there first, and what stands in it, in order.

    ``content`` says how often each child comes: ``1``, ``?``, ``*`` or ``+``; ``a|b`` is either.
    """

    must: dict[str, Check] = field(default_factory=dict)
    may: dict[str, Check] = field(default_factory=dict)
    content: tuple[tuple[str, str], ...] = ()
    text: Check | None = None


_CODED = Shape(
    {"csd-code": _anything, "codeSystemName": _anything, "originalText": _anything},
    {"displayName": _anything},
)
SHAPES = {
    "AuditMessage": Shape(
        content=(
            ("EventIdentification", "1"),
            ("ActiveParticipant", "+"),
            ("AuditSourceIdentification", "1"),
            ("ParticipantObjectIdentification", "*"),
        )
    ),
    "EventIdentification": Shape(
        {"EventDateTime": _is_moment, "EventOutcomeIndicator": _among("0", "4", "8", "12")},
        {"EventActionCode": _among("C", "R", "U", "D", "E")},
        (("EventID", "1"), ("EventTypeCode", "*"), ("EventOutcomeDescription", "?")),
    ),
    "EventID": _CODED,
    "EventTypeCode": _CODED,
    "EventOutcomeDescription": Shape(text=_anything),
    "ActiveParticipant": Shape(
        {"UserID": _anything, "UserIsRequestor": _boolean},
        {
            "AlternativeUserID": _anything,
            "UserName": _anything,
            "NetworkAccessPointID": _anything,
            "NetworkAccessPointTypeCode": _up_to(5),
        },
        (("RoleIDCode", "*"), ("MediaIdentifier", "?")),
    ),
    "RoleIDCode": _CODED,
    "MediaIdentifier": Shape(content=(("MediaType", "1"),)),
    "MediaType": _CODED,
    "AuditSourceIdentification": Shape(
        {"AuditSourceID": _anything},
        {"AuditEnterpriseSiteID": _anything},
        (("AuditSourceTypeCode", "*"),),
    ),
    "AuditSourceTypeCode": Shape({"csd-code": _up_to(9)}),
    "ParticipantObjectIdentification": Shape(
        {"ParticipantObjectID": _anything},
        {
            "ParticipantObjectTypeCode": _up_to(4),
            "ParticipantObjectTypeCodeRole": _up_to(26),
            "ParticipantObjectDataLifeCycle": _up_to(15),
            "ParticipantObjectSensitivity": _anything,
        },
        (
            ("ParticipantObjectIDTypeCode", "1"),
            ("ParticipantObjectName|ParticipantObjectQuery", "1"),
            ("ParticipantObjectDetail", "*"),
            ("ParticipantObjectDescription", "*"),
        ),
    ),
    "ParticipantObjectIDTypeCode": _CODED,
    "ParticipantObjectName": Shape(text=_anything),
    "ParticipantObjectQuery": Shape(text=_is_base64),
    "ParticipantObjectDetail": Shape({"type": _anything, "value": _is_base64}),
}
_OFTEN = {"1": "{1}", "?": "?", "*": "*", "+": "+"}


def assert_valid(element: Element) -> None:
    """Refuse what the schema refuses, in an element and in what stands in it."""
    shape = SHAPES[element.tag]
    allowed = shape.must | shape.may
    assert set(shape.must) <= set(element.attrib) <= set(allowed), element.attrib
    for name, value in element.attrib.items():
        assert allowed[name](value), f"{element.tag} {name}={value}"
    order = "".join(f"(?:(?:{name}),){_OFTEN[often]}" for name, often in shape.content)
    assert re.fullmatch(order, "".join(f"{child.tag}," for child in element)), list(element)
    if shape.text is None:
        assert not (element.text or "").strip()
    else:
        assert shape.text(element.text or "")
    for child in element:
        assert_valid(child)
    if element.tag == "AuditMessage":
        requestors = element.findall("ActiveParticipant[@UserIsRequestor='true']")
        assert len(requestors) <= 1, "A.5.2: not more than one"
