"""From an A-ASSOCIATE-RQ to our answer, PS3.8 9.3.2 to 9.3.4.

A modality may open an association for each image and propose a hundred contexts with it, which
takes pynetdicom's classes eight milliseconds. Which SOP Classes are storage, pynetdicom says.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import sop_class
from pynetdicom.presentation import build_context, negotiate_unrestricted

from screening.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from screening.domain.commitment import PUSH_MODEL

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The only one there is, PS3.7 Annex A."""

_SUPPORTED = [
    build_context(sop_class.Verification),  # type: ignore[attr-defined]
    build_context(PUSH_MODEL, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
]
_SYNTAXES = {
    str(context.abstract_syntax): tuple(map(str, context.transfer_syntax)) for context in _SUPPORTED
}


def _is_served(uid: UID) -> bool:
    proposed = build_context(uid)
    proposed.context_id = 1
    ((result,), _) = negotiate_unrestricted([proposed], _SUPPORTED)
    return result.result == 0


# What is known, and neither storage nor one of ours. What nobody knows may be storage.
_NOT_OURS = frozenset(
    str(uid)
    for uid in vars(sop_class).values()
    # Some queries are storage to pynetdicom.
    if isinstance(uid, UID) and (not _is_served(uid) or "Information Model" in uid.name)
)

# Of the PDU: its header and version, the titles and reserved bytes, which the answer repeats, and
# the items, PS3.8 Tables 9-11 and 9-17.
_VERSIONS_START, _REPEATED_START, _CALLING_START, _TITLES_END, _ITEMS_START = 6, 10, 26, 42, 74
_ITEM = struct.Struct(">BxH")
_APPLICATION_CONTEXT_ITEM, _USER_INFORMATION_ITEM = 0x10, 0x50
_CONTEXT_ITEM, _CONTEXT_RESULT_ITEM = 0x20, 0x21
_ABSTRACT_SYNTAX_ITEM, _TRANSFER_SYNTAX_ITEM = 0x30, 0x40
# PS3.7 Annex D.3.3.
_LONGEST_PDU_ITEM, _ROLES_ITEM = 0x51, 0x54
_IMPLEMENTATION_CLASS_ITEM, _IMPLEMENTATION_VERSION_ITEM = 0x52, 0x55
_ROLES_FORM = struct.Struct(">BB")

# The results of a context, PS3.8 Table 9-18.
_ACCEPTANCE, _USER_REJECTION, _NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = 0, 1, 3, 4

_UID = re.compile(rb"[0-9.]{1,64}")
_PADDING = b"\0 "


class NegotiationError(Exception):
    """What should be a request for an association is none.

    Parameters
    ----------
    message
        Why.
    calling_ae_title, called_ae_title
        As far as they could be read.
    """

    def __init__(self, message: str, calling_ae_title: str = "", called_ae_title: str = "") -> None:
        super().__init__(message)
        self.calling_ae_title = calling_ae_title
        self.called_ae_title = called_ae_title


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context that is proposed: its ID and syntaxes, as UIDs."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


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
    protocol_versions
        A bit for each that it speaks; the lowest is ours, the only one there is.
    application_context
        UID.
    proposals
        The presentation contexts.
    roles
        By SOP Class, whether its requestor wants to be its SCU and its SCP, PS3.7 D.3.3.4.
    longest_pdu
        The longest P-DATA-TF that it takes, in bytes; 0 is any, PS3.8 D.1.1.
    repeated
        The bytes that the answer repeats.
    """

    calling_ae_title: str
    called_ae_title: str
    protocol_versions: int
    application_context: str
    proposals: tuple[Proposal, ...]
    roles: dict[str, tuple[bool, bool]]
    longest_pdu: int
    repeated: bytes


def read_request(pdu: bytes) -> Request:
    """Read an A-ASSOCIATE-RQ, its header included. Items that we do not know are skipped.

    Raises
    ------
    NegotiationError
        If it is none.
    """
    titles = (
        _title(pdu[_CALLING_START:_TITLES_END]),
        _title(pdu[_REPEATED_START:_CALLING_START]),
    )
    try:
        return _read_request(pdu, *titles)
    except (struct.error, ValueError) as error:
        raise NegotiationError(f"its request cannot be read ({error})", *titles) from None


def _read_request(pdu: bytes, calling: str, called: str) -> Request:
    if len(pdu) < _ITEMS_START:
        raise ValueError("it breaks off")
    application_context = ""
    proposals: dict[int, Proposal] = {}
    roles: dict[str, tuple[bool, bool]] = {}
    longest_pdu = 0
    for kind, content in _items(pdu[_ITEMS_START:]):
        if kind == _APPLICATION_CONTEXT_ITEM:
            application_context = _uid(content)
        elif kind == _CONTEXT_ITEM:
            proposal = _read_proposal(content)
            if proposal.number in proposals:
                raise ValueError(f"two presentation contexts {proposal.number}")
            proposals[proposal.number] = proposal
        elif kind == _USER_INFORMATION_ITEM:
            for sub_kind, sub_content in _items(content):
                if sub_kind == _LONGEST_PDU_ITEM:
                    longest_pdu = int.from_bytes(sub_content[:4], "big")
                elif sub_kind == _ROLES_ITEM:
                    roles.update([_read_roles(sub_content)])
    return Request(
        calling,
        called,
        int.from_bytes(pdu[_VERSIONS_START : _VERSIONS_START + 2], "big"),
        application_context,
        tuple(proposals.values()),
        roles,
        longest_pdu,
        pdu[_REPEATED_START:_ITEMS_START],
    )


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        kind, length = _ITEM.unpack_from(content, at)
        at += _ITEM.size + length
        if at > len(content):
            raise ValueError("items that do not add up")
        yield kind, content[at - length : at]


def _read_proposal(content: bytes) -> Proposal:
    number = content[0] if content else 0
    if not number % 2:
        raise ValueError(f"a presentation context {number}: they are odd, PS3.8 9.3.2.2")
    abstract_syntax, transfer_syntaxes = "", []
    for kind, uid in _items(content[4:]):
        if kind == _ABSTRACT_SYNTAX_ITEM:
            abstract_syntax = _uid(uid)
        elif kind == _TRANSFER_SYNTAX_ITEM:
            transfer_syntaxes.append(_uid(uid))
    if not abstract_syntax or not transfer_syntaxes:
        raise ValueError("a presentation context without its syntaxes")
    return Proposal(number, abstract_syntax, tuple(transfer_syntaxes))


def _read_roles(content: bytes) -> tuple[str, tuple[bool, bool]]:
    length = int.from_bytes(content[:2], "big")
    if len(content) < 2 + length + _ROLES_FORM.size:
        raise ValueError("a role selection that breaks off")
    scu, scp = _ROLES_FORM.unpack_from(content, 2 + length)
    return _uid(content[2 : 2 + length]), (bool(scu), bool(scp))


def _uid(content: bytes) -> str:
    uid = content.rstrip(_PADDING)
    if not _UID.fullmatch(uid):
        raise ValueError("a UID that is none")
    return uid.decode("ascii")


def _title(content: bytes) -> str:
    # Some pad with NUL. What is no ASCII is nobody's title, and still to be shown.
    return content.replace(b"\0", b" ").decode("ascii", "replace").strip(" ")


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
    contexts: dict[int, Context] = {}
    results = []
    for proposal in request.proposals:
        result, syntax = _agree(proposal, request)
        if result == _ACCEPTANCE:
            contexts[proposal.number] = Context(proposal.abstract_syntax, syntax)
        chosen = _item(_TRANSFER_SYNTAX_ITEM, syntax.encode())
        results.append(
            _item(_CONTEXT_RESULT_ITEM, struct.pack(">BxBx", proposal.number, result) + chosen)
        )
    items = (
        _item(_APPLICATION_CONTEXT_ITEM, APPLICATION_CONTEXT.encode())
        + b"".join(results)
        + _item(_USER_INFORMATION_ITEM, _about_us(longest_pdu) + _answered_roles(request, contexts))
    )
    length = 4 + len(request.repeated) + len(items)
    return contexts, struct.pack(">BxIHxx", 0x02, length, 1) + request.repeated + items


def _agree(proposal: Proposal, request: Request) -> tuple[int, str]:
    """Return the result for a context and its transfer syntax, which counts where accepted."""
    first = proposal.transfer_syntaxes[0]
    if not request.roles.get(proposal.abstract_syntax, (True, False))[0]:
        return _USER_REJECTION, first  # it wants to be the SCP alone, and so are we
    if proposal.abstract_syntax in _NOT_OURS:
        return _NO_ABSTRACT_SYNTAX, first
    known = _SYNTAXES.get(proposal.abstract_syntax, (first,))
    agreed = [syntax for syntax in proposal.transfer_syntaxes if syntax in known]
    return (_ACCEPTANCE, agreed[0]) if agreed else (_NO_TRANSFER_SYNTAX, first)


def _about_us(longest_pdu: int) -> bytes:
    return (
        _item(_LONGEST_PDU_ITEM, longest_pdu.to_bytes(4, "big"))
        + _item(_IMPLEMENTATION_CLASS_ITEM, IMPLEMENTATION_CLASS_UID.encode())
        + _item(_IMPLEMENTATION_VERSION_ITEM, IMPLEMENTATION_VERSION_NAME.encode())
    )


def _answered_roles(request: Request, contexts: dict[int, Context]) -> bytes:
    """Answer who asked for roles: it is the SCU of what was accepted, and never the SCP."""
    accepted = {context.sop_class_uid for context in contexts.values()}
    return b"".join(
        _item(_ROLES_ITEM, len(uid).to_bytes(2, "big") + uid.encode() + _ROLES_FORM.pack(scu, 0))
        for uid, (scu, _) in request.roles.items()
        if uid in accepted
    )


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def reject(result: int, source: int, reason: int) -> bytes:
    """Return an A-ASSOCIATE-RJ, PS3.8 Table 9-21."""
    return struct.pack(">BxIxBBB", 0x03, 4, result, source, reason)
