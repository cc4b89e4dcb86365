"""Which DICOM audit message each event of the audit becomes, PS3.15 A.5.3."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from screening.records.audit import Event

DCM, RFC, OWN = "DCM", "RFC-3881", "99NIGHTREAD"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: its code, its scheme, its meaning."""

    value: str
    scheme: str
    meaning: str


class Family(Enum):
    """Messages with the same participants and objects."""

    AUTHENTICATION = auto()
    ACCESS = auto()
    QUERY = auto()
    EXPORT = auto()
    ALERT = auto()
    AUDIT_LOG = auto()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message.

    Attributes
    ----------
    event
        EventID, of CID 400.
    action
        EventActionCode: C, R, U, D or E.
    type
        EventTypeCode, of CID 401 or 403; where the standard asks for none it is our event's name.
    outcome
        EventOutcomeIndicator: 0 success, 4 minor failure, 8 serious, 12 major (A.5.2).
    subject
        URI or name of what it is about, where that is no study.
    """

    family: Family
    event: Code
    action: str
    type: Code | None = None
    outcome: int = 0
    subject: str = ""


_AUTHENTICATION = Code("110114", DCM, "User Authentication")
_ACCESSED = Code("110103", DCM, "DICOM Instances Accessed")
_QUERY = Code("110112", DCM, "Query")
_DELETED = Code("110105", DCM, "DICOM Study Deleted")
_EXPORT = Code("110106", DCM, "Export")
_ALERT = Code("110113", DCM, "Security Alert")
_AUDIT_LOG = Code("110101", DCM, "Audit Log Used")

_LOGIN = Code("110122", DCM, "Login")
_LOGOUT = Code("110123", DCM, "Logout")
_CONFIGURATION = Code("110131", DCM, "Software Configuration")
_RESTRICTED = Code("110132", DCM, "Use of Restricted Function")
_USER_CHANGED = Code("110137", DCM, "User Security Attributes Changed")


def _signing(type_: Code, outcome: int = 0) -> Kind:
    return Kind(Family.AUTHENTICATION, _AUTHENTICATION, "E", type_, outcome)


def _access(action: str) -> Kind:
    return Kind(Family.ACCESS, _ACCESSED, action)


def _alert(type_: Code, subject: str, outcome: int = 0) -> Kind:
    return Kind(Family.ALERT, _ALERT, "E", type_, outcome, f"nightread:{subject}")


KINDS = {
    Event.SIGNED_IN: _signing(_LOGIN),
    Event.SIGN_IN_FAILED: _signing(_LOGIN, outcome=4),
    Event.SIGNED_OUT: _signing(_LOGOUT),
    Event.LISTED: Kind(Family.QUERY, _QUERY, "E", subject="worklist"),
    Event.EXPORTED: Kind(Family.EXPORT, _EXPORT, "R", subject="worklist"),
    Event.OPENED: _access("R"),
    Event.IMAGE_SHOWN: _access("R"),
    Event.REVIEWED: _access("U"),
    Event.REVIEW_TAKEN_BACK: _access("U"),
    # It was prevented: a minor failure, A.5.3.11.
    Event.REFUSED: _alert(_RESTRICTED, "worklist", outcome=4),
    Event.USER_CHANGED: _alert(_USER_CHANGED, "users"),
    Event.TOKEN_CHANGED: _alert(_USER_CHANGED, "tokens"),
    Event.POINTS_SET: _alert(_CONFIGURATION, "operating-points"),
    Event.MODEL_PROMOTED: _alert(_CONFIGURATION, "models"),
    Event.MODEL_ROLLED_BACK: _alert(_CONFIGURATION, "models"),
    Event.SHADOW_APPOINTED: _alert(_CONFIGURATION, "models"),
    # Its pixels; what was found stays.
    Event.PIXELS_REMOVED: Kind(Family.ACCESS, _DELETED, "D"),
    # A removal that was decided was taken back.
    Event.PIXELS_KEPT: _access("U"),
    Event.RETENTION_RUN: _alert(_RESTRICTED, "retention"),
    Event.HELD: _access("U"),
    Event.RELEASED: _access("U"),
    # Of one study, without who it is of.
    Event.DEIDENTIFIED: _access("R"),
    Event.PATIENTS_MERGED: _alert(_RESTRICTED, "patients"),
    Event.IDENTITY_ADOPTED: _access("U"),
    Event.IDENTITY_UNDONE: _alert(_RESTRICTED, "patients"),
    Event.AUDIT_READ: Kind(Family.AUDIT_LOG, _AUDIT_LOG, "R", subject="nightread:audit"),
}
"""The kind of each event; a test holds that none is missing."""
