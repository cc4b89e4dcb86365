"""What a PACS may answer to a query or a retrieval, and what becomes of it."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import require
from orthanc_server import running_orthanc
from pydicom.dataset import Dataset
from query_peer import query_peer, said
from receiver import dropped_sockets

from pacs.find import FoundSeries, querying
from pacs.limits import Limits
from pacs.peer import Peer
from pacs.question import Question
from pacs.retrieve import get, move
from pacs.send import send
from pacs.survey import Part10File, survey
from phantoms.load import small_study
from phantoms.study import save
from screening.errors import QueryError, RetrieveError

DAYS = Question(first_day=dt.date(2026, 1, 1), last_day=dt.date(2026, 1, 2))

Answers = Iterator[tuple[int, Dataset | None]]


def test_it_is_asked_day_by_day_and_modality_by_modality_and_each_study_comes_once() -> None:
    def find(asked: Dataset) -> Answers:
        yield 0xFF00, said(StudyInstanceUID="1.2", AccessionNumber="A1")
        yield 0xFF01, said(StudyInstanceUID=f"1.2.{asked.StudyDate}", AccessionNumber="")
        yield 0xFF00, said(StudyInstanceUID="")
        yield 0x0000, None

    with query_peer(find) as archive, querying(archive.peer) as query:
        found = list(query.studies(DAYS))
    uids = [each.study_instance_uid for each in found]
    assert uids == ["1.2", "1.2.20260101", "1.2.20260102"]
    assert [each.accession_number for each in found] == ["A1", None, None]
    asked = [(each.StudyDate, each.ModalitiesInStudy) for each in archive.asked]
    assert asked == [(day, kind) for day in ("20260101", "20260102") for kind in ("CR", "DX")]
    assert {each.QueryRetrieveLevel for each in archive.asked} == {"STUDY"}


def test_accession_numbers_are_asked_for_one_by_one() -> None:
    def find(asked: Dataset) -> Answers:
        yield 0xFF00, said(StudyInstanceUID=f"1.{asked.AccessionNumber}")
        yield 0x0000, None

    question = Question(accession_numbers=("7", "8"))
    with query_peer(find) as archive, querying(archive.peer) as query:
        assert [each.study_instance_uid for each in query.studies(question)] == ["1.7", "1.8"]


def test_what_the_pacs_does_not_say_of_a_series_is_empty() -> None:
    def find(asked: Dataset) -> Answers:
        if asked.QueryRetrieveLevel == "SERIES":
            yield 0xFF00, said(SeriesInstanceUID="1.3")
            yield 0xFF00, said(SeriesInstanceUID="1.4", NumberOfSeriesRelatedInstances="7")
        else:
            yield 0xFF00, said(SOPInstanceUID="1.5")
            yield 0xFF00, said(SOPInstanceUID="1.6")
        yield 0x0000, None

    with query_peer(find) as archive, querying(archive.peer) as query:
        assert query.series("1.2") == [
            FoundSeries("1.3", "", "", "", None),
            FoundSeries("1.4", "", "", "", 7),
        ]
        assert query.instances("1.2", "1.3") == {"1.5", "1.6"}
    assert DAYS.wants("", "", "")
    assert not DAYS.wants("CT", "", "")


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC001, 0xFE00])
def test_a_refusal_is_said_and_what_came_before_is_not_taken_for_all(status: int) -> None:
    def find(_: Dataset) -> Answers:
        yield 0xFF00, said(StudyInstanceUID="1.2")
        yield status, None

    with (
        query_peer(find) as archive,
        pytest.raises(QueryError, match=f"0x{status:04X}"),
        querying(archive.peer) as query,
    ):
        list(query.studies(DAYS))


def test_one_that_does_not_answer_to_the_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs.peer._DIMSE_SECONDS", 1)

    def find(_: Dataset) -> Answers:
        yield 0xFF00, said(StudyInstanceUID="1.2")
        time.sleep(4)

    with (
        query_peer(find) as archive,
        dropped_sockets(),
        pytest.raises(QueryError),
        querying(archive.peer) as query,
    ):
        list(query.studies(DAYS))


def nothing(_: Dataset) -> Answers:
    yield 0x0000, None


def test_a_destination_that_the_pacs_does_not_know_is_named() -> None:
    def unknown(_: object) -> Iterator[object]:
        yield None, None

    with query_peer(nothing, unknown) as archive:
        moved = move(archive.peer, "1.2", "1.3", "NIGHTREAD")
    assert moved.completed == 0
    assert "0xA801" in moved.explanation
    assert "NIGHTREAD" in moved.explanation


def test_a_retrieval_that_does_not_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs.peer._DIMSE_SECONDS", 1)

    def never(_: object) -> Iterator[object]:
        time.sleep(4)
        yield None, None

    with (
        query_peer(nothing, never) as archive,
        dropped_sockets(),
        pytest.raises(RetrieveError, match="to its end"),
    ):
        move(archive.peer, "1.2", "1.3", "NIGHTREAD")


def test_a_day_that_is_too_much_is_asked_for_in_halves(tmp_path: Path) -> None:
    program = shutil.which("Orthanc")
    require(program, "no Orthanc: install Debian's orthanc")
    assert program is not None
    films, day = [], dt.date(2026, 1, 2)
    for number, hour in enumerate((0, 0, 3, 8, 8, 9, 14, 23, 23)):
        moment = dt.datetime.combine(day, dt.time(hour, 59, 59))
        (ds,) = small_study(number, 1, side=64, now=moment)
        films.append(tmp_path / f"{number}.dcm")
        save(ds, films[-1])
    question = Question(first_day=day, last_day=day)
    with running_orthanc(
        program, tmp_path / "orthanc", {}, LimitFindResults=2, DicomAlwaysAllowFind=True
    ) as orthanc:
        peer = Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC", "MODALITY")
        files = [each for each in survey(films) if isinstance(each, Part10File)]
        assert all(sent.accepted for sent in send(files, peer))
        with querying(peer) as query:
            found = [each.study_instance_uid for each in query.studies(question)]
    assert len(found) == len(set(found)) == 9


def test_a_pacs_that_sends_more_than_it_says_it_has_is_cut(tmp_path: Path) -> None:
    program = shutil.which("Orthanc")
    require(program, "no Orthanc: install Debian's orthanc")
    assert program is not None
    (tmp_path / "came").mkdir()
    images = list(small_study(1, 4, side=64))
    for number, ds in enumerate(images):
        # One series of four: a phantom's images have one each.
        ds.SeriesInstanceUID = images[0].SeriesInstanceUID
        save(ds, tmp_path / "films" / f"{number}.dcm")
    more = {"DicomAlwaysAllowGet": True, "DicomAlwaysAllowStore": True}
    with running_orthanc(program, tmp_path / "orthanc", {}, **more) as orthanc:
        peer = Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC", "MODALITY")
        files = [each for each in survey([tmp_path / "films"]) if isinstance(each, Part10File)]
        assert all(sent.accepted for sent in send(files, peer))
        first = images[0]
        with pytest.raises(RetrieveError, match="more images than it says"):
            get(
                peer,
                first.StudyInstanceUID,
                first.SeriesInstanceUID,
                tmp_path / "came",
                # Two of the ten that may have come to a series since it was asked about.
                Limits(-8, lambda: None),
            )
    assert len(list((tmp_path / "came").iterdir())) == 2, "what came before is kept"


def test_an_hour_that_is_too_much_is_an_error() -> None:
    def find(_: Dataset) -> Answers:
        yield 0xFF00, said(StudyInstanceUID="1.2")
        yield 0xA700, None

    with (
        query_peer(find) as archive,
        pytest.raises(QueryError, match="0xA700"),
        querying(archive.peer) as query,
    ):
        list(query.studies(DAYS))
    assert [each.get("StudyTime") for each in archive.asked] == [
        None,
        "000000-115959.999999",
        "000000-055959.999999",
        "000000-025959.999999",
        "000000-005959.999999",
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("uid", ["1.*", "1.2?", "1.2 3", "1" * 129, "\u00fc.1"])
def test_a_study_without_a_uid_that_can_be_asked_for_is_counted(uid: str) -> None:
    def find(_: Dataset) -> Answers:
        yield 0xFF00, said(StudyInstanceUID=uid)
        yield 0xFF00, said(StudyInstanceUID="1.2")
        yield 0x0000, None

    with query_peer(find) as archive, querying(archive.peer) as query:
        found = list(query.studies(DAYS))
    assert [each.study_instance_uid for each in found] == ["1.2"]
    assert query.unnamed == 4, "two days, two modalities"


def test_a_query_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs.find._LONGEST_QUERY", 1)

    def find(_: Dataset) -> Answers:
        while True:
            yield 0xFF00, said(StudyInstanceUID="1.2")
            time.sleep(0.05)

    with (
        query_peer(find) as archive,
        dropped_sockets(),
        pytest.raises(QueryError, match="without an end"),
        querying(archive.peer) as query,
    ):
        list(query.studies(DAYS))
