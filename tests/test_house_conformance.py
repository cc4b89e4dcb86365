"""The conformance statement says what the code negotiates, answers and writes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from desk import TestDesk
from pydicom.uid import UID
from pynetdicom import sop_class
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from raw_peer import associate_request
from result_studies import file_results, make_objects, screened

from dicom_listener.negotiation import APPLICATION_CONTEXT, accept, read_request
from dicom_listener.status import Status
from pacs import commitment_request, find, retrieve
from pacs.results import codes
from pacs.results.identity import Kind
from pacs.results.identity import sop_class as class_of
from screening.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from screening.domain.commitment import PUSH_MODEL
from screening.settings import Settings

STATEMENT = (Path(__file__).parents[1] / "docs" / "conformance.md").read_text()
SYNTAXES = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.70",
]
JPEG_LOSSLESS = SYNTAXES[-1]


def section(title: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without its head."""
    text = STATEMENT.partition(f"{title}\n")[2]
    text = re.split(r"^#", text, maxsplit=1, flags=re.M)[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def is_taken(uid: str, syntax: str) -> bool:
    """Say whether the listener accepts a presentation context."""
    contexts, _ = accept(read_request(associate_request({1: (uid, [syntax])})), 1 << 20)
    return 1 in contexts


def test_the_listener_takes_what_is_stated() -> None:
    for uid in (str(Verification), PUSH_MODEL):
        (row,) = (
            row for row in section("#### 4.1.1 SOP Classes and transfer syntaxes") if row[1] == uid
        )
        assert {syntax for syntax in SYNTAXES if is_taken(uid, syntax)} == set(row[3].split(", "))


def test_it_stores_the_classes_of_the_annex_and_no_other_known_one() -> None:
    listed = {row[1] for row in section("## Annex A: storage SOP Classes")}
    known = {str(uid) for uid in vars(sop_class).values() if isinstance(uid, UID)}
    taken = {uid for uid in known if is_taken(uid, JPEG_LOSSLESS)}
    assert listed == taken
    assert is_taken("1.2.826.0.1.3680043.10.5.99", "1.2.3.4"), "a private one"


def test_every_status_is_stated() -> None:
    rows = section("#### 4.1.2 Statuses of C-STORE, C-ECHO and N-ACTION")
    assert [int(row[0], 16) for row in rows] == sorted(Status)


def test_identities_are_stated() -> None:
    for identity in (APPLICATION_CONTEXT, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME):
        assert f"| {identity} |" in STATEMENT


def test_the_courier_stores_what_is_stated(settings: Settings) -> None:
    desk = TestDesk(settings)
    study = screened(desk, file_results(desk))
    made = [
        each for planar in (False, True) for each in make_objects(study, list(Kind), planar=planar)
    ]
    desk.close()
    stated = {row[1]: row[3] for row in section("#### 4.2.2 SOP Classes and transfer syntaxes")}
    assert stated.pop(PUSH_MODEL) == commitment_request.CONTEXT[1]
    assert set(stated) == {each.sop_class_uid for each in made}
    for kind, planar in itertools.product(Kind, (False, True)):
        assert str(class_of(kind, planar=planar)) in stated
    for each in made:
        assert stated[each.sop_class_uid] == str(each.dataset.file_meta.TransferSyntaxUID)


def test_the_night_asks_and_fetches_as_is_stated() -> None:
    stated = {
        row[1]: (row[2], row[3]) for row in section("#### 4.4.1 SOP Classes and transfer syntaxes")
    }
    asked = {find.CONTEXT, retrieve.MOVE_CONTEXT, retrieve.GET_CONTEXT}
    assert {(uid, syntax) for uid, (role, syntax) in stated.items() if role == "SCU"} == asked
    assert {uid for uid, (role, _) in stated.items() if role == "SCP"} == set(retrieve.STORED)
    said = STATEMENT.partition("A C-GET offers each in ")[2].partition("presentation context")[0]
    assert set(re.findall(r"1[.0-9]+[0-9]", said)) == set(retrieve.SYNTAXES)


def test_codes_of_our_own_are_stated() -> None:
    ours = [
        each
        for each in vars(codes).values()
        if getattr(each, "scheme_designator", "") == codes.SCHEME
    ]
    assert [tuple(row) for row in section("## 8 Objects that are written")] == [
        (each.value, each.scheme_designator, each.meaning) for each in ours
    ]


@pytest.mark.parametrize("word", ["DICOM Conformance Statement", "Overview", "Security"])
def test_it_has_the_form_of_the_standard(word: str) -> None:
    assert word in STATEMENT
