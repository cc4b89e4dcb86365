"""An attacker's walk: every port and route, with no credentials and as each role.

A route that is not in `ROUTES` fails the walk: whoever adds one says here who may use it.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import ssl
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from certificates import authority, signed_by
from conftest import free_port, wait_until
from desk import PASSWORD, TestDesk
from fastapi.testclient import TestClient
from installation import Installation
from raw_peer import (
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    EXPLICIT_LITTLE,
    RawPeer,
    associate_request,
    image,
)
from test_listener_store import Door, a_door

from phantoms.load import small_study
from screening.domain.account import Right, Role
from screening.domain.prediction import Prediction
from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings
from worklist.app import API

OPEN, LOOK, REVIEW, ADMINISTER = None, Right.LOOK, Right.REVIEW, Right.ADMINISTER
STUDY, IMAGE = "{study_instance_uid}", "{sop_instance_uid}"

ROUTES = {
    # Nobody need be signed in for these: they are how one signs in.
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): OPEN,
    ("GET", "/sign-in/{secret}"): OPEN,
    ("GET", "/sign-in/openid"): OPEN,
    ("GET", "/sign-in/openid/back"): OPEN,
    ("GET", "/static"): OPEN,
    ("GET", "/"): LOOK,
    ("GET", "/lines"): LOOK,
    ("GET", f"/cases/{STUDY}"): LOOK,
    ("GET", f"/cases/{STUDY}/reviews"): LOOK,
    ("GET", "/statistics"): LOOK,
    ("GET", "/drift"): LOOK,
    ("GET", "/models"): LOOK,
    ("POST", "/models/promotion"): ADMINISTER,
    ("POST", "/models/rollback"): ADMINISTER,
    ("GET", "/nights"): LOOK,
    ("GET", "/nights/batches"): LOOK,
    ("GET", "/nights/{night}"): LOOK,
    ("POST", "/sign-out"): LOOK,
    ("GET", "/audit"): ADMINISTER,
    ("POST", "/operating-points"): ADMINISTER,
    ("GET", f"{API}/openapi.json"): LOOK,
    ("GET", f"{API}/cases"): LOOK,
    ("GET", f"{API}/cases.csv"): LOOK,
    ("GET", f"{API}/counts"): LOOK,
    ("GET", f"{API}/studies/{STUDY}"): LOOK,
    ("GET", f"{API}/studies/{STUDY}/thumbnail"): LOOK,
    ("GET", f"{API}/studies/{STUDY}/reviews"): LOOK,
    ("POST", f"{API}/studies/{STUDY}/reviews"): REVIEW,
    ("DELETE", f"{API}/studies/{STUDY}/reviews/newest"): REVIEW,
    ("GET", f"{API}/images/{IMAGE}/frame"): LOOK,
    ("GET", f"{API}/images/{IMAGE}/picture"): LOOK,
    ("GET", f"{API}/images/{IMAGE}/heatmap"): LOOK,
    ("GET", f"{API}/statistics"): LOOK,
    ("GET", f"{API}/drift"): LOOK,
    ("GET", f"{API}/models"): LOOK,
    ("POST", f"{API}/models/promotions"): ADMINISTER,
    ("POST", f"{API}/models/rollbacks"): ADMINISTER,
    ("GET", f"{API}/operating-points"): LOOK,
    ("POST", f"{API}/operating-points"): ADMINISTER,
    ("GET", f"{API}/nights/{{night}}"): LOOK,
    ("GET", f"{API}/batches"): LOOK,
    ("GET", f"{API}/batches/{{number}}"): LOOK,
    ("GET", f"{API}/ledger"): LOOK,
}
"""Which right each route of the desk needs; none where it is open."""

BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("POST", f"{API}/studies/{STUDY}/reviews"): {"json": {"opinion": "agree"}},
    ("POST", f"{API}/models/promotions"): {
        "json": {"model": "none", "version": "1", "why": "walk"}
    },
    ("POST", f"{API}/models/rollbacks"): {"json": {"why": "walk"}},
    ("POST", "/models/promotion"): {
        "data": {"model": "none", "version": "1", "digest": "0" * 64, "why": "walk", "seen": "0"}
    },
    ("POST", "/models/rollback"): {"data": {"why": "walk", "seen": "0"}},
    ("POST", f"{API}/operating-points"): {
        "json": {"high_sensitivity": 0.2, "high_specificity": 0.6, "note": "walk"}
    },
    ("POST", "/operating-points"): {
        "data": {"doubtful_from": "0.2", "suspected_from": "0.6", "note": "walk", "seen": "0"}
    },
}
CLOSED = {route: right for route, right in ROUTES.items() if right is not OPEN}
CHANGING = [route for route in CLOSED if route[0] != "GET"]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


def routes_of(found: Sequence[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each route of an application by its method and its path; HEAD goes with GET."""
    for each in found:
        if hasattr(each, "original_router"):  # FastAPI's, for a router that was included
            yield from routes_of(
                each.original_router.routes, prefix + (each.include_context.prefix or "")
            )
            continue
        for method in set(getattr(each, "methods", None) or {"GET"}) - {"HEAD"}:
            yield method, prefix + each.path


class Walk:
    """A desk with one study, whose patient nobody may see who is not let in."""

    def __init__(self, settings: Settings) -> None:
        self.desk = TestDesk(settings)
        (ds,) = small_study(1, 1)
        ds.PatientName, ds.PatientID = "Walked^Patient", "WALKED-ID"
        self.patient = ("Walked", "WALKED-ID", str(ds.StudyInstanceUID))
        self.image = str(ds.SOPInstanceUID)
        self.study = self.desk.file(ds, Prediction(0.9))

    def address(self, path: str) -> str:
        filled = path.replace(STUDY, self.study).replace(IMAGE, self.image)
        filled = filled.replace("{night}", "2026-01-01").replace("{number}", "1")
        return filled.replace("{secret}", "guessed").replace("/static", "/static/desk.css")

    def ask(self, client: TestClient, route: tuple[str, str], **options: Any) -> Any:  # noqa: ANN401
        given = {**BODIES.get(route, {}), **options}
        return client.request(route[0], self.address(route[1]), **given)

    def tells(self, answer: Any) -> bool:  # noqa: ANN401
        """Say whether an answer holds anything of the patient."""
        said = answer.text + str(answer.headers)
        return any(word in said for word in self.patient)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("walk")
    made = Walk(Settings(data_dir=folder / "data", minimum_free_gigabytes=0))
    yield made
    made.desk.close()


def test_every_route_is_in_the_table_and_no_other(walk: Walk) -> None:
    assert set(routes_of(walk.desk.app.routes)) == set(ROUTES)


@pytest.mark.parametrize("route", CLOSED, ids=" ".join)
def test_nobody_gets_anything_without_credentials(walk: Walk, route: tuple[str, str]) -> None:
    for headers, cookies in (
        ({}, {}),
        ({"Authorization": "Bearer nr_guessed"}, {}),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, {}),
        ({}, {"nightread_session": "guessed"}),
        ({"X-Forwarded-User": "admin", "X-Real-IP": "127.0.0.1", "X-Form-Secret": ""}, {}),
    ):
        answer = walk.ask(walk.desk.client(cookies=cookies), route, headers=headers)
        if route[1].startswith(API):
            assert answer.status_code == 401
        else:
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert not answer.content or len(answer.content) < 200
        # The way back repeats what was asked for, to whom asked for it.
        answer.headers.pop("set-cookie", None)
        assert not walk.tells(answer)


def test_what_is_open_tells_nothing(walk: Walk) -> None:
    for route in set(ROUTES) - set(CLOSED):
        answer = walk.ask(walk.desk.client(), route)
        assert answer.status_code in (200, 401, 403, 404, 422), route
        assert not walk.tells(answer), route


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_table_says(walk: Walk, role: Role) -> None:
    client = walk.desk.signed_in(f"walking {role.value}", role)
    last = ("POST", "/sign-out")
    for route in [*(each for each in CLOSED if each != last), last]:
        right = CLOSED[route]
        assert right is not None
        answer = walk.ask(client, route)
        if role.may(right):
            # 400: there is no such model, which only who may appoint one is told.
            assert answer.status_code in (200, 201, 204, 303, 400, 404, 409), (route, answer.text)
            assert answer.headers.get("location") != "/sign-in" or route == last, route
        else:
            assert answer.status_code == 403, (route, answer.text)
            assert not walk.tells(answer), route


@pytest.mark.parametrize("role", Role)
def test_a_token_of_each_role_may_do_the_same_but_review(walk: Walk, role: Role) -> None:
    machine = walk.desk.machine(role, f"walking {role.value}")
    for route, right in CLOSED.items():
        assert right is not None
        allowed = role.may(right) and right is not REVIEW
        answer = walk.ask(machine, route)
        assert (answer.status_code == 403) is not allowed, (route, answer.text)
        assert answer.status_code != 401, route


@pytest.mark.parametrize("route", CHANGING, ids=" ".join)
def test_another_site_changes_nothing_with_somebodys_cookie(
    walk: Walk, route: tuple[str, str]
) -> None:
    role = Role.RADIOLOGIST if ROUTES[route] is REVIEW else Role.ADMIN
    name = f"lured {CHANGING.index(route)}"
    client = walk.desk.signed_in(name, role)
    secret = client.headers.pop("X-Form-Secret")
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    for headers in (foreign, {**foreign, "X-Form-Secret": secret[:-1]}, {"X-Form-Secret": ""}):
        answer = walk.ask(client, route, headers=headers)
        assert answer.status_code == 403
        assert "another page" in answer.text
    assert client.get("/").status_code == 200, "still signed in"
    assert walk.ask(client, route, headers={"X-Form-Secret": secret}).status_code != 403


def test_another_site_signs_nobody_in(walk: Walk) -> None:
    walk.desk.add_user("victim")
    right = {"name": "victim", "password": PASSWORD}
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert walk.desk.client().post("/sign-in", data=right, headers=foreign).status_code == 403


def test_other_methods_open_nothing(walk: Walk) -> None:
    client = walk.desk.client()
    for path in {path for _, path in ROUTES}:
        for method in METHODS:
            if (method, path) in ROUTES or (method == "HEAD" and ("GET", path) in ROUTES):
                continue
            answer = client.request(method, walk.address(path))
            assert answer.status_code == 405, (method, path)
            assert not walk.tells(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%5c..%5capp.py",
        "/static//etc/passwd",
        "/static/../../../../../../etc/passwd",
        "/static/",
        "/static/vendor/..%2f..%2fdesk.py",
        "//etc/passwd",
        "/cases/..%2f..%2fetc%2fpasswd",
        f"{API}/images/..%2f..%2fnightread.sqlite/frame",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/.env",
        "/nightread.env",
        "/metrics",
        "/healthz",
        "/cases/1.2%00",
    ],
)
def test_no_path_leads_out_of_the_desk(walk: Walk, path: str) -> None:
    for client in (walk.desk.client(), walk.desk.machine(name=f"out {random.random()}")):
        answer = client.get(path)
        assert answer.status_code in (303, 401, 404, 405, 422), answer.status_code
        for secret in ("import annotations", "root:", "SQLite format", "NIGHTREAD_"):
            assert secret not in answer.text


def test_the_host_that_a_request_names_is_nowhere_in_the_answer(walk: Walk) -> None:
    client = walk.desk.client()
    for path in ("/", "/audit/", "/sign-in/", "/static", f"{API}/cases/", "/nowhere"):
        for name in ("Host", "X-Forwarded-Host"):
            answer = client.get(path, headers={name: "elsewhere.example"})
            assert "elsewhere" not in answer.text + str(answer.headers), path


def raw_http(port: int, content: bytes, seconds: float = 10.0) -> bytes:
    """Return all that is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), seconds) as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(content)
        answer = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while piece := line.recv(65536):
                answer += piece
        return answer


CUT = b"Connection: close\r\n\r\n"


def test_what_is_no_request_of_the_web_is_cut_off(walk: Walk) -> None:
    with walk.desk.served() as address:
        port = int(address.rpartition(":")[2])
        for content, status in (
            (b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n" + CUT, b"413"),
            (b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n" + CUT, b"400"),
            (
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                + CUT
                + b"0\r\n\r\n",
                b"411",
            ),
            (
                b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                b"Transfer-Encoding: chunked\r\n" + CUT + b"0\r\n\r\nGET /audit HTTP/1.1\r\n\r\n",
                b"4",
            ),
            (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n" + CUT, b"4"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n" + CUT, b"400"),
            (b"\x16\x03\x01\x02\x00\x01" + bytes(100) + b"\r\n\r\n", b"400"),
            (bytes(range(256)) * 10 + b"\r\n\r\n", b"400"),
        ):
            answer = raw_http(port, content)
            assert answer.startswith(b"HTTP/1.1 " + status), (content[:60], answer[:60])
            assert answer.count(b"HTTP/1.1 ") == 1, "no second answer to what was hidden"
        assert raw_http(port, b"GET /sign-in HTTP/1.1\r\nHost: x\r\n" + CUT)[9:12] == b"200"


QUERIES = {
    "Patient Root C-FIND": "1.2.840.10008.5.1.4.1.2.1.1",
    "Patient Root C-MOVE": "1.2.840.10008.5.1.4.1.2.1.2",
    "Patient Root C-GET": "1.2.840.10008.5.1.4.1.2.1.3",
    "Study Root C-FIND": "1.2.840.10008.5.1.4.1.2.2.1",
    "Study Root C-MOVE": "1.2.840.10008.5.1.4.1.2.2.2",
    "Study Root C-GET": "1.2.840.10008.5.1.4.1.2.2.3",
    "Modality Worklist": "1.2.840.10008.5.1.4.31",
}
C_FIND, C_GET, C_MOVE, N_GET, N_CREATE, N_DELETE = 0x20, 0x10, 0x21, 0x110, 0x140, 0x150


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with a_door(settings, calling_ae_titles=("PACS",)) as opened:
        yield opened


def answers(door: Door, content: bytes) -> bytes:
    """Say something at the door, and return all that it answers before it ends the connection."""
    with socket.create_connection(("127.0.0.1", door.settings.dicom_port), 10) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(content)
            line.shutdown(socket.SHUT_WR)
        heard = b""
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(65536):
                heard += piece
        return heard


def test_a_title_that_is_not_known_gets_no_association(door: Door) -> None:
    for calling in ("STRANGER", "", "pacs", "PACS2"):
        contexts = {1: ("1.2.840.10008.1.1", [EXPLICIT_LITTLE])}
        heard = answers(door, associate_request(contexts, calling=calling))
        assert heard[:1] == bytes((ASSOCIATE_RJ,)), calling


def test_the_door_answers_no_question(door: Door) -> None:
    """It takes images; even a sender that it knows cannot ask for any."""
    contexts = {
        2 * number + 1: (uid, ["1.2.840.10008.1.2"]) for number, uid in enumerate(QUERIES.values())
    }
    with RawPeer(door.settings.dicom_port) as peer:
        peer.say(associate_request(contexts))
        kind, content = peer.hear()
    # PS3.8 9.3.3.2: each context was refused, 3: abstract syntax not supported.
    results = re.findall(rb"\x21\x00..(.)\x00(.)\x00", content, re.DOTALL)
    assert kind == ASSOCIATE_AC
    assert [(number[0], result[0]) for number, result in results] == [(n, 3) for n in contexts]


@pytest.mark.parametrize("field", [C_FIND, C_GET, C_MOVE, N_GET, N_CREATE, N_DELETE])
def test_no_other_service_hides_in_an_association_for_images(door: Door, field: int) -> None:
    with RawPeer(door.settings.dicom_port) as peer:
        peer.associate()
        assert peer.store("1.2.3", image("1.2.3")).status == 0x0000
        peer.command(
            {0x0002: QUERIES["Study Root C-FIND"], 0x0100: field, 0x0110: 7, 0x0800: 0x0101}
        )
        with contextlib.suppress(EOFError, OSError):  # it may end the connection
            assert peer.answer().status not in (0x0000, 0xFF00, 0xFF01)
    with RawPeer(door.settings.dicom_port) as peer:
        assert peer.associate().echo() == 0x0000, "the door is well"


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_get_nothing_and_harm_nothing(door: Door, seed: int) -> None:
    chance = random.Random(seed)
    for begin in (
        b"",
        b"\x01\x00\x00\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ):
        heard = answers(door, begin + chance.randbytes(chance.randrange(1, 3000)))
        assert heard[:1] in (b"", bytes((0x03,)), bytes((0x07,))), heard[:20]
        assert len(heard) < 200
    with RawPeer(door.settings.dicom_port) as peer:
        assert peer.associate().echo() == 0x0000


def test_the_port_of_tls_says_nothing_without_a_certificate_that_it_knows(
    settings: Settings, tmp_path: Path
) -> None:
    hospital = authority(tmp_path, "hospital")
    ours = signed_by(hospital, "ours")
    port = free_port()
    with a_door(
        settings,
        dicom_port=0,
        tls_port=port,
        tls_certificate=ours.path,
        tls_key=ours.key,
        tls_authorities=hospital.path,
    ):
        request = associate_request({1: ("1.2.840.10008.1.1", [EXPLICIT_LITTLE])})
        assert raw_http(port, request)[:1] != bytes((ASSOCIATE_AC,))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            pytest.raises((ssl.SSLError, ConnectionError, EOFError)),
            RawPeer(port, connection=encrypted(context, port)) as peer,
        ):
            peer.associate()


def encrypted(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))


def test_a_private_redis_is_on_no_network(
    settings: Settings, embedded_redis: EmbeddedRedis
) -> None:
    import redis

    path = settings.embedded_redis_socket
    with redis.Redis(unix_socket_path=str(path)) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("tls-port") in ({}, {"tls-port": "0"})
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    names = ("listener", "worker", "worklist")
    ports = {f"{name}_watch_port": free_port() for name in names}
    opened = Installation(settings.model_copy(update=ports))
    yield opened
    opened.stop()


def listening(pids: list[int]) -> set[tuple[str, int]]:
    """Return where processes and those below them listen, by TCP or UDP."""
    found = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for each in [process, *process.children(recursive=True)]:
                found |= {
                    (line.laddr.ip, line.laddr.port)
                    for line in each.net_connections("inet")
                    if line.status in (psutil.CONN_LISTEN, psutil.CONN_NONE) and line.laddr
                }
    return found


def test_no_port_is_open_but_those_of_the_settings(installation: Installation) -> None:
    (ds,) = small_study(3, 1)
    ds.PatientName, ds.PatientID = "Walked^Again", "WALKED-AGAIN"
    path = installation.settings.data_dir / "x.dcm"
    ds.save_as(path, enforce_file_format=True)
    for command in ("listen", "work", "serve"):
        installation.start(command)
    wait_until(installation.listens, 60, "the door answers")
    installation.send([path])
    settings = installation.settings
    watched = [settings.listener_watch_port, settings.worker_watch_port]
    watched.append(settings.worklist_watch_port)
    expected = {settings.dicom_port, settings.worklist_port, *watched}
    pids = [process.pid for process in installation.processes.values()]

    def ports() -> set[int]:
        return {port for _, port in listening([*pids, os.getpid()])} & expected

    wait_until(lambda: ports() == expected, 60, "all ports are open", ports)
    installation.wait_until_screened(1, 120)
    assert listening(pids) == {("127.0.0.1", port) for port in expected}
    for port in watched:
        look_at_watch_port(port)


def look_at_watch_port(port: int) -> None:
    """It answers three questions, and tells nothing of a patient."""
    for path in ("/healthz", "/readyz", "/metrics"):
        with contextlib.suppress(urllib.error.HTTPError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
                said = answer.read().decode()
            assert "Walked" not in said
            assert "WALKED" not in said
            assert "/data" not in said, "nor of the machine"
    for path in ("/", "/debug", "/../etc/passwd", "/metrics/../x"):
        assert raw_http(port, f"GET {path} HTTP/1.0\r\n\r\n".encode())[9:12] == b"404"
    for method in ("POST", "PUT", "DELETE", "TRACE", "OPTIONS"):
        assert raw_http(port, f"{method} /metrics HTTP/1.0\r\n\r\n".encode())[9:12] == b"501"
    began = time.monotonic()
    assert raw_http(port, b"GET /" + b"a" * 100_000 + b" HTTP/1.0\r\n\r\n")[9:12] == b"414"
    assert raw_http(port, os.urandom(500) + b"\r\n\r\n")[:4] != b"200"
    assert time.monotonic() - began < 10
