"""From an A-ASSOCIATE-RQ to our answer, with pynetdicom's PDUs and its rules for contexts."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import build_context, negotiate_unrestricted
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from screening.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from screening.domain.commitment import PUSH_MODEL

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The only one there is, PS3.7 Annex A."""

_SUPPORTED = [
    build_context(Verification),
    build_context(PUSH_MODEL, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
]

# Of the PDU: its header, the titles, and all that is of fixed length, PS3.8 Table 9-11.
_TITLES_START, _TITLES_END, _ITEMS_START = 10, 42, 74
_ITEM = struct.Struct(">BxH")
_CONTEXT, _USER_INFORMATION = 0x20, 0x50
# pynetdicom fails on an item that it does not know, and on a name or an option that is not well
# formed. We use the longest PDU, the implementation's UID and the roles.
_USED_ITEMS = frozenset({0x10, _CONTEXT, _USER_INFORMATION})
_USED_SUB_ITEMS = frozenset({0x51, 0x52, 0x54})
_MOST_CONTEXTS = 128  # their IDs are odd numbers below 256, PS3.8 9.3.2.2


class NegotiationError(Exception):
    """What should be a request for an association is none."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context.

    Attributes
    ----------
    sop_class_uid, transfer_syntax_uid
        What was agreed on.
    """

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks for an association.

    Attributes
    ----------
    calling_ae_title, called_ae_title
        Without their padding.
    application_context
        UID.
    primitive
        pynetdicom's reading of it.
    """

    calling_ae_title: str
    called_ae_title: str
    application_context: str
    primitive: A_ASSOCIATE

    @property
    def longest_pdu(self) -> int:
        """The longest P-DATA-TF that the requestor takes, in bytes; 0 is any, PS3.8 D.1.1."""
        for item in self.primitive.user_information:
            if isinstance(item, MaximumLengthNotification):
                return int(item.maximum_length_received or 0)
        return 0


def read_request(pdu: bytes) -> Request:
    """Read an A-ASSOCIATE-RQ, its header included.

    Raises
    ------
    NegotiationError
        If it is none.
    """
    try:
        decoded = A_ASSOCIATE_RQ()
        decoded.decode(_with_readable_titles(pdu) + _used(pdu[_ITEMS_START:], _USED_ITEMS))
        primitive = decoded.to_primitive()
        contexts = primitive.presentation_context_definition_list
        if not all(context.abstract_syntax and context.transfer_syntax for context in contexts):
            raise ValueError("a presentation context without its syntaxes")
        return Request(
            str(primitive.calling_ae_title).strip(),
            str(primitive.called_ae_title).strip(),
            str(primitive.application_context_name),
            primitive,
        )
    except Exception as error:  # pynetdicom raises whatever the bytes make it meet
        raise NegotiationError(f"its request cannot be read ({type(error).__name__})") from None


def _with_readable_titles(pdu: bytes) -> bytes:
    """Return what stands before the items, with titles that are padded with NUL put right."""
    titles = pdu[_TITLES_START:_TITLES_END].replace(b"\0", b" ")
    return pdu[:_TITLES_START] + titles + pdu[_TITLES_END:_ITEMS_START]


def _used(items: bytes, kinds: frozenset[int]) -> bytes:
    """Leave out items that are of no use to us; unknown ones shall be skipped, PS3.8 9.3.1."""
    used = []
    at = contexts = 0
    while at < len(items):
        kind, length = _ITEM.unpack_from(items, at)
        content = items[at + _ITEM.size : at + _ITEM.size + length]
        at += _ITEM.size + length
        contexts += kind == _CONTEXT
        if at > len(items) or contexts > _MOST_CONTEXTS:
            raise ValueError("items that do not add up")
        if kind == _USER_INFORMATION:
            content = _used(content, _USED_SUB_ITEMS)
        if kind in kinds:
            used.append(_ITEM.pack(kind, len(content)) + content)
    return b"".join(used)


def accept(request: Request, longest_pdu: int) -> tuple[dict[int, Context], bytes]:
    """Agree on contexts: every storage SOP Class, private ones too, in the first syntax offered.

    Bytes are kept as they came, and what cannot be scored is listed rather than refused.

    Parameters
    ----------
    request
        That is to be accepted.
    longest_pdu
        What we offer to take, in bytes.

    Returns
    -------
    dict of int to Context
        Accepted contexts by their ID.
    bytes
        The A-ASSOCIATE-AC.
    """
    asked = request.primitive
    roles = {
        UID(str(item.sop_class_uid)): (item.scu_role, item.scp_role)
        for item in asked.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation) and (item.scu_role or item.scp_role)
    }
    results, answered_roles = negotiate_unrestricted(
        asked.presentation_context_definition_list, _SUPPORTED, roles
    )
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title = asked.calling_ae_title
    answer.called_ae_title = asked.called_ae_title
    answer.result, answer.result_source = 0, 1
    answer.presentation_context_definition_results_list = results
    answer.user_information = [*_about_us(longest_pdu), *answered_roles]
    contexts = {
        int(item.context_id): Context(str(item.abstract_syntax), str(item.transfer_syntax[0]))
        for item in results
        if item.result == 0 and item.context_id is not None
    }
    return contexts, A_ASSOCIATE_AC(answer).encode()


def _about_us(
    longest_pdu: int,
) -> list[
    MaximumLengthNotification
    | ImplementationClassUIDNotification
    | ImplementationVersionNameNotification
]:
    length = MaximumLengthNotification()
    length.maximum_length_received = longest_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [length, implementation, version]


def reject(result: int, source: int, reason: int) -> bytes:
    """Return an A-ASSOCIATE-RJ, PS3.8 Table 9-21."""
    answer = A_ASSOCIATE()
    answer.result, answer.result_source, answer.diagnostic = result, source, reason
    return A_ASSOCIATE_RJ(answer).encode()
