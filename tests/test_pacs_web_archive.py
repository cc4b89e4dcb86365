"""What a DICOMweb server may answer to a search or a retrieval, and what becomes of it."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from conftest import free_port
from pydicom.dataset import Dataset
from query_peer import said
from web_peer import JSON, Answer, always, web_peer

from pacs.question import Question
from pacs.web_archive import get_by_web, web_querying
from screening.errors import AssociationError, QueryError, RetrieveError

DAY = Question(first_day=dt.date(2026, 1, 1), last_day=dt.date(2026, 1, 1), modalities=("DX",))
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

    with web_peer(answer) as peer, web_querying(peer.url, "") as query:
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
        web_querying(peer.url, "") as query,
        pytest.raises(QueryError, match=why),
    ):
        list(query.studies(DAY))


def test_nothing_found_is_no_error_but_a_study_without_series_is() -> None:
    with web_peer(always(204, b"")) as peer, web_querying(peer.url, "") as query:
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
        get_by_web(peer.url, "", "1.2", "1.3", tmp_path, threading.Event())
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_an_association_error(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with web_querying(url, "") as query, pytest.raises(AssociationError, match="does not answer"):
        list(query.studies(DAY))
    with pytest.raises(AssociationError):
        get_by_web(url, "", "1.2", "1.3", tmp_path, threading.Event())


@pytest.mark.parametrize("status", [401, 429, 502, 503, 504])
def test_a_server_that_is_busy_or_away_is_no_attempt_at_a_study(
    tmp_path: Path, status: int
) -> None:
    with web_peer(lambda *_: (status, "text/plain", b"")) as peer:
        with web_querying(peer.url, "") as query, pytest.raises(AssociationError, match="busy"):
            list(query.studies(DAY))
        with pytest.raises(AssociationError):
            get_by_web(peer.url, "", "1.2", "1.3", tmp_path, threading.Event())


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
        get_by_web(url, "", "1.2", "1.3", tmp_path, threading.Event())


def test_a_retrieval_that_hangs_ends_when_the_night_is_to(tmp_path: Path) -> None:
    cut = threading.Event()
    threading.Timer(1, cut.set).start()
    began = time.monotonic()
    with (
        slow_server(b"--b\r\n\r\nDICM", then_close=False) as url,
        pytest.raises(RetrieveError, match="broke off"),
    ):
        get_by_web(url, "", "1.2", "1.3", tmp_path, cut)
    assert time.monotonic() - began < 20
