"""Storage commitment: what a sender asks whether we hold, and what we say, PS3.4 Annex J."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PUSH_MODEL = "1.2.840.10008.1.20.1"
"""The SOP Class, PS3.4 J.3.5."""

WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The instance that every request names and every report comes from, PS3.4 J.3.5."""


class EventType(IntEnum):
    """What a report says, PS3.4 Table J.3-2."""

    ALL_HELD = 1
    SOME_FAILED = 2


class FailureReason(IntEnum):
    """Why we do not commit to an instance, Failure Reason (0008,1197) of PS3.3 C.14.1.1."""

    NO_SUCH_INSTANCE = 0x0112
    CLASS_CONFLICT = 0x0119
    DUPLICATE_TRANSACTION = 0x0131


@dataclass(frozen=True, slots=True)
class Reference:
    """A SOP instance that somebody names."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """What is reported of one transaction.

    Attributes
    ----------
    transaction_uid
        As the request had it.
    held
        Instances that we hold: bytes and row.
    failed
        Instances that we do not hold, each with its reason.
    """

    transaction_uid: str
    held: tuple[Reference, ...]
    failed: tuple[tuple[Reference, FailureReason], ...]

    @property
    def event_type(self) -> EventType:
        """What the report of it says."""
        return EventType.SOME_FAILED if self.failed else EventType.ALL_HELD
