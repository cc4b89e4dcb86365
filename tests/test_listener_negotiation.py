from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from raw_peer import EXPLICIT_LITTLE, RADIOGRAPH, VERIFICATION, associate_request, item

from dicom_listener.negotiation import Context, NegotiationError, accept, read_request
from screening.domain.commitment import PUSH_MODEL

IMPLICIT_LITTLE, JPEG_LOSSLESS = "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.70"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PRIVATE = "1.2.826.0.1.3680043.10.5.99"
CONTEXTS = {
    1: (RADIOGRAPH, [JPEG_LOSSLESS, EXPLICIT_LITTLE]),
    3: (PRIVATE, ["1.2.3.4"]),
    5: (VERIFICATION, [JPEG_LOSSLESS, IMPLICIT_LITTLE]),
    7: (VERIFICATION, [JPEG_LOSSLESS]),
    9: (FIND, [IMPLICIT_LITTLE]),
    255: (PUSH_MODEL, [IMPLICIT_LITTLE]),
}


def roles(uid: str, scu: int, scp: int) -> bytes:
    """Return a role selection sub-item, PS3.7 Table D.3-9."""
    return item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes((scu, scp)))


def answered(request: bytes) -> tuple[dict[int, Context], A_ASSOCIATE]:
    """Return what was agreed on, and our answer as pynetdicom reads it."""
    contexts, answer = accept(read_request(request), 1 << 20)
    decoded = A_ASSOCIATE_AC()
    decoded.decode(answer)
    return contexts, decoded.to_primitive()


def answered_quietly(request: bytes) -> tuple[dict[int, Context], bytes]:
    return accept(read_request(request), 1 << 20)


def answers_of(primitive: A_ASSOCIATE, kind: type) -> list[Any]:
    return [each for each in primitive.user_information if isinstance(each, kind)]


def test_each_context_gets_its_result() -> None:
    contexts, answer = answered(associate_request(CONTEXTS, calling="CT 1", called="NIGHTREAD"))
    assert contexts == {
        1: Context(RADIOGRAPH, JPEG_LOSSLESS),
        3: Context(PRIVATE, "1.2.3.4"),
        5: Context(VERIFICATION, IMPLICIT_LITTLE),
        255: Context(PUSH_MODEL, IMPLICIT_LITTLE),
    }
    results = {
        each.context_id: (each.result, str(each.transfer_syntax[0]))
        for each in answer.presentation_context_definition_results_list
    }
    assert results[5] == (0, IMPLICIT_LITTLE)
    assert [number for number, (result, _) in results.items() if result == 0] == [1, 3, 5, 255]
    assert (results[7][0], results[9][0]) == (4, 3), "transfer syntaxes, abstract syntax"
    assert answer.maximum_length_received == 1 << 20
    assert answer.application_context_name == "1.2.840.10008.3.1.1.1"
    assert (answer.calling_ae_title, answer.called_ae_title) == ("CT 1", "NIGHTREAD")


def test_what_is_said_of_the_caller_is_read() -> None:
    request = read_request(
        associate_request({}, calling="CT 1\0\0", called=" NIGHTREAD", longest_pdu=54321)
    )
    assert (request.calling_ae_title, request.called_ae_title) == ("CT 1", "NIGHTREAD")
    assert request.longest_pdu == 54321
    assert request.proposals == ()


def test_who_asks_for_roles_is_the_scu_and_never_the_scp() -> None:
    more = roles(RADIOGRAPH, 1, 1) + roles(PUSH_MODEL, 0, 1) + roles(FIND, 1, 0)
    contexts, answer = answered(associate_request(CONTEXTS, more=more))
    assert 1 in contexts
    assert 255 not in contexts, "nobody would be the SCU"
    (said,) = answers_of(answer, SCP_SCU_RoleSelectionNegotiation)
    assert (said.sop_class_uid, said.scu_role, said.scp_role) == (UID(RADIOGRAPH), True, False)


def test_items_that_nobody_knows_are_skipped() -> None:
    request = associate_request(CONTEXTS, more=item(0x77, b"?") + item(0x58, b"user identity"))
    request = request[:2] + struct.pack(">I", len(request)) + request[6:] + item(0x99, b"!")
    assert len(answered(request)[0]) == 4


@pytest.mark.parametrize(
    ("request_pdu", "why"),
    [
        (associate_request({2: (RADIOGRAPH, [EXPLICIT_LITTLE])}), "they are odd"),
        (associate_request({1: (RADIOGRAPH, [])}), "without its syntaxes"),
        (associate_request({1: ("not a UID", [EXPLICIT_LITTLE])}), "UID that is none"),
        (associate_request({1: (RADIOGRAPH, ["1" * 65])}), "UID that is none"),
        (associate_request({}, more=item(0x54, b"\0\x09")), "role selection that breaks off"),
        (associate_request({1: (RADIOGRAPH, [EXPLICIT_LITTLE])})[:-3], "do not add up"),
        (b"\1\0", "breaks off"),
    ],
    ids=["even", "no syntax", "no UID", "long UID", "roles", "cut", "nothing"],
)
def test_what_is_no_request_is_refused_with_its_reason(request_pdu: bytes, why: str) -> None:
    with pytest.raises(NegotiationError, match=why):
        read_request(request_pdu)


def test_who_asked_is_known_although_the_rest_cannot_be_read() -> None:
    with pytest.raises(NegotiationError) as caught:
        read_request(associate_request({2: (RADIOGRAPH, [])}, calling="CT 1", called="R\u00c4UM"))
    assert caught.value.calling_ae_title == "CT 1"
    assert (
        caught.value.called_ae_title
        == "R\N{REPLACEMENT CHARACTER}" * 1 + "\N{REPLACEMENT CHARACTER}UM"
    )


@pytest.mark.parametrize("uid", ["1..2", "1.02.3", "....", "9"])
def test_a_uid_that_breaks_the_rules_is_taken_without_a_warning(uid: str) -> None:
    contexts, _ = answered_quietly(associate_request({1: (uid, [uid])}))
    assert contexts == {1: Context(uid, uid)}


def test_two_contexts_of_one_number_are_refused() -> None:
    request = associate_request({1: (RADIOGRAPH, [EXPLICIT_LITTLE])})
    once = request[74 + 25 :]
    context = once[: 4 + int.from_bytes(once[2:4], "big")]
    with pytest.raises(NegotiationError, match="two presentation contexts 1"):
        read_request(request[: 74 + 25] + context + once)


@given(data=st.data())
def test_damaged_requests_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(associate_request(CONTEXTS, more=roles(RADIOGRAPH, 1, 0)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        request = read_request(cut)
    except NegotiationError:
        return
    contexts, answer = accept(request, 1 << 20)
    assert set(contexts) <= {proposal.number for proposal in request.proposals}
    assert int.from_bytes(answer[2:6], "big") == len(answer) - 6
