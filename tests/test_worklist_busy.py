"""A desk that somebody tries to keep busy: the others are served."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from conftest import free_port, wait_until
from desk import TestDesk
from sqlalchemy import text

from phantoms.load import small_study
from screening.domain.account import Role
from screening.domain.prediction import Prediction
from screening.errors import RecordsError
from screening.records import audit, users
from screening.settings import Settings
from worklist import connection, frames


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


def test_what_lies_in_the_archive_in_an_images_place_is_not_shown_as_it(desk: TestDesk) -> None:
    first, second = small_study(1, 2)
    desk.file(first, Prediction(0.9))
    desk.file(second, Prediction(0.9))
    paths = [desk.path_of(str(ds.SOPInstanceUID)) for ds in (first, second)]
    shutil.copyfile(paths[1], paths[0])
    anna = desk.signed_in("anna")
    for what in ("frame", "picture"):
        answer = anna.get(f"/api/v1/images/{first.SOPInstanceUID}/{what}")
        assert answer.status_code == 415
        assert "not what came" in answer.json()["detail"]
        assert anna.get(f"/api/v1/images/{second.SOPInstanceUID}/{what}").status_code == 200


def test_images_that_hang_leave_threads_for_the_others(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ds,) = small_study(1, 1)
    desk.file(ds, Prediction(0.9))
    anna = desk.signed_in("anna")
    monkeypatch.setattr(desk.frames, "_waiting", threading.BoundedSemaphore(1))
    hold = threading.Event()
    monkeypatch.setattr(desk.frames._decoders, "run", lambda *_: (hold.wait(20), b"x")[1])
    address = f"/api/v1/images/{ds.SOPInstanceUID}/picture"
    waits = threading.Thread(target=lambda: anna.get(address))
    waits.start()
    wait_until(lambda: desk.frames._waiting._value == 0, 10, "one waits")
    answer = anna.get(address)
    assert (answer.status_code, "at once" in answer.text) == (503, True)
    assert anna.get("/api/v1/counts").status_code == 200
    hold.set()
    waits.join()
    assert 0 < frames._MOST_WAITING < 40


def test_guessed_links_do_not_fill_the_audit(desk: TestDesk) -> None:
    client = desk.client()
    statuses = [client.get(f"/sign-in/guess{number}").status_code for number in range(20)]
    assert statuses[:5] == [403] * 5
    assert set(statuses[5:]) == {429}
    with desk.records.read() as session:
        assert len(audit.read_audit(session)) == 5


def test_a_link_from_before_a_change_and_one_for_somebody_else_sign_nobody_in(
    desk: TestDesk,
) -> None:
    anna, bert = desk.add_user("anna"), desk.add_user("bert")
    links = [desk.link(anna), desk.link(bert)]
    with desk.records.begin() as session:
        users.change_user(session, "anna", desk.now, password_hash="new")
    assert desk.client().get(f"/sign-in/{links[0]}").status_code == 403
    client = desk.signed_in("carl")
    assert client.get(f"/sign-in/{links[1]}").status_code == 409
    assert "Sign out carl" in client.get("/").text


def test_a_name_from_outside_does_nothing_to_the_page_of_the_audit(desk: TestDesk) -> None:
    name = "\u202eevil\x1b[31m<b>"
    desk.client().post("/sign-in", data={"name": name, "password": "no"})
    page = desk.signed_in("boss", Role.ADMIN).get("/audit").text
    assert "evil" in page
    assert not {"\u202e", "\x1b"} & set(page)
    assert "<b>" not in page


def test_no_row_of_the_audit_is_replaced(desk: TestDesk) -> None:
    desk.signed_in("anna")
    replace = "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 1"
    if desk.records.engine.dialect.name == "sqlite":
        with pytest.raises(RecordsError, match="only be added to"), desk.records.begin() as session:
            session.execute(text(replace))


def test_a_connection_on_which_nothing_comes_is_closed(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 5)
    port = free_port()
    config = uvicorn.Config(
        desk.app, host="127.0.0.1", port=port, log_config=None, http=connection.Connection
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 20, "the desk serves")
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    for line, said in zip(
        lines[:4], (b"GET / HT", b"", b"POST /sign-in HTTP/1.1\r\n", b"x"), strict=True
    ):
        line.sendall(said)
    began = time.monotonic()
    for line in lines:
        line.settimeout(10)
        try:
            while line.recv(1000):
                pass
        except ConnectionResetError:
            pass
        line.close()
    assert time.monotonic() - began < 5
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 200")
    server.should_exit = True
    thread.join(20)
