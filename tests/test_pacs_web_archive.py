"""What a DICOMweb server may answer to a search or a retrieval, and what becomes of it."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from conftest import free_port
from pydicom.dataset import Dataset
from query_peer import said
from web_peer import JSON, Answer, always, web_peer

from pacs.limits import Limits
from pacs.question import Question
from pacs.web_archive import WebQuery, get_by_web, web_querying
from screening.errors import AssociationError, QueryError, RetrieveError

DAY = Question(first_day=dt.date(2026, 1, 1), last_day=dt.date(2026, 1, 1), modalities=("DX",))


def asking(url: str) -> AbstractContextManager[WebQuery]:
    return web_querying(url, "", threading.Event())


LIMITS = Limits(2, lambda: None)
PARTS = 'multipart/related; type="application/dicom"; boundary=b'


def found(*studies: Dataset) -> Answer:
    return 200, JSON, f"[{','.join(each.to_json() for each in studies)}]".encode()


@pytest.mark.parametrize("heeds_offset", [True, False])
def test_a_server_that_limits_its_answers_is_asked_until_it_has_nothing_new(
    heeds_offset: bool,
) -> None:
    studies = [said(StudyInstanceUID=f"1.2.{number}") for number in range(5)]

    def answer(_: str, query: dict[str, str]) -> Answer:
        start = int(query.get("offset", 0)) if heeds_offset else 0
        return found(*studies[start : start + 2])

    with web_peer(answer) as peer, asking(peer.url) as query:
        names = [each.study_instance_uid for each in query.studies(DAY)]
    assert names == [f"1.2.{number}" for number in range(5 if heeds_offset else 2)]
    assert {each["StudyDate"] for each in peer.asked} == {"20260101"}
    assert {each["ModalitiesInStudy"] for each in peer.asked} == {"DX"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, "text/plain", b""), "answers 500"),
        ((403, "text/plain", b""), "answers 403"),
        ((307, "text/plain", b""), "answers 307: it is elsewhere"),
        ((200, JSON, b"no json"), "no DICOM JSON"),
        ((200, JSON, b'{"a": 1}'), "is none"),
        ((200, JSON, b"[1]"), "is none"),
        ((200, JSON, b" " * 60_000_000), "does not end"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_says_so(answer: Answer, why: str) -> None:
    with (
        web_peer(lambda *_: answer) as peer,
        asking(peer.url) as query,
        pytest.raises(QueryError, match=why),
    ):
        list(query.studies(DAY))


def test_nothing_found_is_no_error_but_a_study_without_series_is() -> None:
    with web_peer(always(204, b"")) as peer, asking(peer.url) as query:
        assert list(query.studies(DAY)) == []
        assert query.instances("1.2", "1.3") == frozenset()
        with pytest.raises(QueryError, match="none of its series"):
            query.series("1.2")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, "text/plain", b""), "answers 404"),
        ((200, "text/html", b"<p>sign in</p>"), "is none"),
        ((200, PARTS, b"--b\r\n\r\nno dicom\r\n--b--"), "is none"),
        ((200, PARTS, b""), "sends no image"),
    ],
)
def test_a_retrieval_that_brings_nothing_is_an_error(
    tmp_path: Path, answer: Answer, why: str
) -> None:
    with web_peer(lambda *_: answer) as peer, pytest.raises(RetrieveError, match=why):
        get_by_web(peer.url, "", "1.2", "1.3", tmp_path, threading.Event(), LIMITS)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_an_association_error(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        asking(url) as query,
        pytest.raises(AssociationError, match="does not answer"),
    ):
        list(query.studies(DAY))
    with pytest.raises(AssociationError):
        get_by_web(url, "", "1.2", "1.3", tmp_path, threading.Event(), LIMITS)


@pytest.mark.parametrize("status", [401, 429, 502, 503, 504])
def test_a_server_that_is_busy_or_away_is_no_attempt_at_a_study(
    tmp_path: Path, status: int
) -> None:
    with web_peer(lambda *_: (status, "text/plain", b"")) as peer:
        with (
            asking(peer.url) as query,
            pytest.raises(AssociationError, match="busy"),
        ):
            list(query.studies(DAY))
        with pytest.raises(AssociationError):
            get_by_web(peer.url, "", "1.2", "1.3", tmp_path, threading.Event(), LIMITS)


@contextmanager
def slow_server(content: bytes, then_close: bool) -> Iterator[str]:
    """Run a server that begins an answer of WADO-RS, and then closes, or says nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {PARTS}\r\nContent-Length: 100000\r\n\r\n"
                line.sendall(head.encode() + content)
                if not then_close:
                    line.recv(1)

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_retrieval_that_breaks_off_is_an_attempt_at_the_study(tmp_path: Path) -> None:
    with (
        slow_server(b"--b\r\n\r\nDICM", then_close=True) as url,
        pytest.raises(RetrieveError, match="broke off"),
    ):
        get_by_web(url, "", "1.2", "1.3", tmp_path, threading.Event(), LIMITS)


def test_a_query_that_breaks_off_or_hangs_is_no_sign_that_nobody_is_there() -> None:
    with (
        slow_server(b"[", then_close=True) as url,
        asking(url) as query,
        pytest.raises(QueryError, match="broke off"),
    ):
        query.series("1.2")
    cut = threading.Event()
    threading.Timer(1, cut.set).start()
    began = time.monotonic()
    with (
        slow_server(b"[", then_close=False) as url,
        web_querying(url, "", cut) as query,
        pytest.raises(QueryError, match="broke off"),
    ):
        query.series("1.2")
    assert time.monotonic() - began < 20


def test_a_retrieval_that_hangs_ends_when_the_night_is_to(tmp_path: Path) -> None:
    cut = threading.Event()
    threading.Timer(1, cut.set).start()
    began = time.monotonic()
    with (
        slow_server(b"--b\r\n\r\nDICM", then_close=False) as url,
        pytest.raises(RetrieveError, match="broke off"),
    ):
        get_by_web(url, "", "1.2", "1.3", tmp_path, cut, LIMITS)
    assert time.monotonic() - began < 20


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_number_or_no_uid_is_not_taken_for_one() -> None:
    series = [said(SeriesInstanceUID="1.3"), said(SeriesInstanceUID="1.4")]
    for each, count in zip(series, (2**63 - 1, 7), strict=True):
        each.NumberOfSeriesRelatedInstances = count
    with (
        web_peer(lambda *_: found(*series)) as peer,
        asking(peer.url) as query,
    ):
        assert [each.images for each in query.series("1.2")] == [None, 7]
    names = ["1.2", "1.*", "", "1.2.3"]
    studies = [said(StudyInstanceUID=name, AccessionNumber="A\x1b[31m1") for name in names]
    with (
        web_peer(lambda *_: found(*studies)) as peer,
        asking(peer.url) as query,
    ):
        listed = list(query.studies(DAY))
        assert [each.study_instance_uid for each in listed] == ["1.2", "1.2.3"]
        assert {each.accession_number for each in listed} == {"A[31m1"}
        assert query.unnamed > 0
        with pytest.raises(QueryError, match="without a UID"):
            query.instances("1.2", "1.3")


def test_a_server_that_sends_without_an_end_fills_nothing(tmp_path: Path) -> None:
    part = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + bytes(3_000_000) + b"\r\n"
    narrow = Limits(-9, lambda: None)  # of 200 MB
    with (
        web_peer(lambda *_: (200, PARTS, 100 * part)) as peer,
        pytest.raises(RetrieveError, match=r"more than such a series|is none"),
    ):
        get_by_web(peer.url, "", "1.2", "1.3", tmp_path, threading.Event(), narrow)
    assert list(tmp_path.iterdir()) == []
