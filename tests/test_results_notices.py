"""Notices: signed, once, without patient data unless asked for, and tried again."""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
import pytest
from conftest import free_port
from desk import TestDesk
from hypothesis import given
from hypothesis import strategies as st
from mail_box import mailbox
from result_studies import file_results, storage

from pacs.courier import Courier
from pacs.destinations import Destination, read_destinations
from pacs.hl7 import Hl7, Hl7Place, escaped
from pacs.mail import Mail, MailPlace
from pacs.webhook import Webhook, WebhookPlace
from phantoms.load import small_study
from screening.domain.delivery import DeliveryState
from screening.domain.prediction import Prediction
from screening.errors import SettingsError
from screening.records.deliveries import deliveries_of, resend
from screening.settings import Settings

SECRET = "a secret of 16 and more"
HERE = "https://nightread.hospital"


@dataclass
class Listener:
    """A program that is told: what came, and how it answers."""

    url: str = ""
    status: int = 204
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.came.append((dict(self.headers.items()), body))
            self.send_response(made.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/notices"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


def courier(desk: TestDesk, *carriers: Any) -> Courier:  # noqa: ANN401
    quick = {"quiet": dt.timedelta(0), "shortest_pause": dt.timedelta(0)}
    return Courier(desk.records, carriers, **quick)


def webhook(
    desk: TestDesk,
    listener: Listener,
    storages: Sequence[str] = (),
    **changes: Any,  # noqa: ANN401
) -> Webhook:
    place = WebhookPlace(name="hook", url=listener.url, secret=SECRET, **changes)
    return Webhook(desk.records, place, HERE, storages)


def test_a_flagged_study_is_told_once_signed_and_without_the_patient(
    desk: TestDesk, listener: Listener
) -> None:
    uid = file_results(desk, 31)
    clear = desk.file(next(small_study(32, 1)), Prediction(0.01))
    hook = webhook(desk, listener)
    carrier = courier(desk, hook)
    carrier.plan()
    assert carrier.deliver(hook) == (1, True)
    ((headers, body),) = listener.came
    moment, signature = (
        part.partition("=")[2] for part in headers["X-Nightread-Signature"].split(",")
    )
    assert hmac.digest(SECRET.encode(), f"{moment}.".encode() + body, "sha256").hex() == signature
    told = json.loads(body)
    assert (told["study_instance_uid"], told["verdict"]) == (uid, "suspected")
    assert told["address"] == f"{HERE}/cases/{uid}"
    assert "patient" not in told
    assert "PHANTOM" not in body.decode()
    assert clear not in body.decode()
    with desk.records.begin() as session:
        resend(session, uid, ["hook"], desk.now)
    carrier.deliver(hook)
    assert len({headers["X-Nightread-Notice"] for headers, _ in listener.came}) == 1
    desk.signed_in("anna").post(f"/api/v1/studies/{uid}/reviews", json={"opinion": "agree"})
    carrier.plan()
    carrier.deliver(hook)
    assert len(listener.came) == 2, "a review is no news to them"


def test_the_patient_is_told_to_whom_it_is_allowed(desk: TestDesk, listener: Listener) -> None:
    file_results(desk, 33)
    hook = webhook(desk, listener, with_patient=True)
    carrier = courier(desk, hook)
    carrier.plan()
    carrier.deliver(hook)
    ((_, body),) = listener.came
    assert json.loads(body)["patient"]["accession_number"] == "A33"


def test_a_program_that_fails_is_told_again_until_it_takes_the_notice(
    desk: TestDesk, listener: Listener
) -> None:
    uid = file_results(desk, 34)
    hook = webhook(desk, listener)
    carrier = courier(desk, hook)
    carrier.plan()
    listener.status = 500
    assert carrier.deliver(hook) == (0, True)
    listener.status = 200
    assert carrier.deliver(hook) == (1, True)
    with desk.records.read() as session:
        (done,) = deliveries_of(session, uid)
    assert (done.state, done.attempts, done.last_error) == (DeliveryState.DELIVERED, 2, None)
    listener.status = 410
    file_results(desk, 35)
    carrier.plan()
    assert carrier.deliver(hook) == (0, True)
    assert carrier.deliver(hook) == (0, True)
    assert len(listener.came) == 3, "who is gone is not told again"


def test_a_delivery_that_was_given_up_is_told(desk: TestDesk, listener: Listener) -> None:
    uid = desk.file(next(small_study(36, 1)), Prediction(0.01))
    away = Destination(
        name="pacs", ae_title="A", host="127.0.0.1", port=free_port(), give_up_days=1e-9
    )
    carried = storage(desk, away)
    hook = webhook(desk, listener, storages=["pacs"])
    carrier = courier(desk, carried, hook)
    carrier.plan()
    carrier.deliver(hook)
    assert listener.came == [], "a clear study is no news"
    carrier.deliver(carried)
    carrier.deliver(hook)
    ((_, body),) = listener.came
    (failed,) = json.loads(body)["undelivered"]
    assert failed["destination"] == "pacs"
    assert "nobody answers" in failed["error"]
    assert json.loads(body)["study_instance_uid"] == uid


def test_people_are_told_by_mail(desk: TestDesk) -> None:
    uid = file_results(desk, 37)
    with mailbox() as box:
        place = MailPlace(
            name="team",
            host="127.0.0.1",
            port=box.port,
            starttls=False,
            sender="nightread@hospital.org",
            to=("anna@hospital.org", "bert@hospital.org"),
        )
        mail = Mail(desk.records, place, HERE)
        carrier = courier(desk, mail)
        carrier.plan()
        box.refuses = True
        assert carrier.deliver(mail) == (0, True)
        box.refuses = False
        assert carrier.deliver(mail) == (1, True)
    (message,) = box.came
    assert message["Subject"] == "Nightread: a study is suspected"
    assert message["To"] == "anna@hospital.org, bert@hospital.org"
    text = str(message.get_payload())
    assert f"{HERE}/cases/{uid}" in text
    assert "Not for diagnosis" in text
    assert "PHANTOM" not in text


def test_an_address_that_is_refused_is_said_and_the_others_have_it_once(desk: TestDesk) -> None:
    uid = file_results(desk, 47)
    with mailbox() as box:
        box.unknown = "bert@hospital.org"
        place = MailPlace(
            name="team",
            host="127.0.0.1",
            port=box.port,
            starttls=False,
            sender="nightread@hospital.org",
            to=("anna@hospital.org", "bert@hospital.org"),
        )
        mail = Mail(desk.records, place, HERE)
        carrier = courier(desk, mail)
        carrier.plan()
        carrier.deliver(mail)
        carrier.deliver(mail)
        anna = desk.signed_in("anna")
        anna.post(f"/api/v1/studies/{uid}/reviews", json={"opinion": "agree"})
        carrier.plan()
        carrier.deliver(mail)
    assert len(box.came) == 1
    with desk.records.read() as session:
        (found,) = deliveries_of(session, uid)
    assert found.state is DeliveryState.DELIVERED, "of the review there is nothing to tell"


@contextmanager
def interface(answer: str = "AA") -> Iterator[tuple[int, list[Any]]]:
    """Run a system that takes HL7 by MLLP, by a library that we do not use ourselves."""
    came: list[Any] = []

    async def take(reader: Any, writer: Any) -> None:  # noqa: ANN401
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            came.append(message)
            writer.writemessage(message.create_ack(ack_code=answer))
            await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    port = free_port()
    server = loop.run_until_complete(hl7.mllp.start_hl7_server(take, "127.0.0.1", port))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port, came
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_a_system_of_hl7_gets_a_message_that_others_read(desk: TestDesk) -> None:
    (ds,) = small_study(38, 1)
    ds.PatientName, ds.AccessionNumber = "O|NEILL^ANN&~^^DR^MD", "A|38"
    ds.SpecificCharacterSet = "ISO_IR 192"
    uid = desk.file(ds, Prediction(0.9))
    for answer, done in (("AE", 0), ("AA", 1)):
        with interface(answer) as (port, came):
            place = Hl7Place(name="ris", host="127.0.0.1", port=port, application="RIS")
            line = Hl7(desk.records, place)
            carrier = courier(desk, line)
            carrier.plan()
            assert carrier.deliver(line) == (done, True)
    (message,) = came
    assert str(message.segment("MSH")[5]) == "RIS"
    assert str(message.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    name = message.segment("PID")[5][0]
    assert [message.unescape(str(part)) for part in name] == ["O|NEILL", "ANN&~", "", "MD", "DR"]
    assert message.unescape(str(message.segment("OBR")[3])) == "A|38"
    found = {str(each[3][0][0]): str(each[5]) for each in message.segments("OBX")}
    assert found["VERDICT"].startswith("SUSPECTED^")
    assert float(found["PROBABILITY"]) == pytest.approx(0.9)
    assert found["STUDY_UID"] == uid
    assert found["NOTICE"] == "AI result, not for diagnosis"


@pytest.mark.parametrize("said", [b"", b"\x0bMSH|^~\\&|\rMSA|AA|another\r\x1c\r", b"x" * 70_000])
def test_what_is_no_acknowledgement_is_none(desk: TestDesk, said: bytes) -> None:
    uid = file_results(desk, 39)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        place = Hl7Place(name="ris", host="127.0.0.1", port=server.getsockname()[1])
        line = Hl7(desk.records, place)
        carrier = courier(desk, line)
        carrier.plan()
        assert carrier.deliver(line) == (0, True)
        thread.join(10)
    with desk.records.read() as session:
        (waiting,) = deliveries_of(session, uid)
    assert waiting.state is DeliveryState.DUE


@given(st.text())
def test_no_text_breaks_a_message(text: str) -> None:
    assert not set("|^&~\r\n\x0b\x1c") & set(escaped(text))


HOOK = f"[[webhook]]\nname='h'\nurl='https://a/b'\nsecret='{SECRET}'\n"
MAIL = "[[mail]]\nname='m'\nhost='mail'\nsender='a@b'\nto=['c@d']\n"
SYSTEM = "[[hl7]]\nname='s'\nhost='ris'\nport=1\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HOOK.replace("https://a/b", "http://a/b"), "https"),
        (HOOK.replace(SECRET, "short"), "secret"),
        (HOOK + MAIL.replace("'m'", "'h'"), "name of its own"),
        (MAIL.replace("c@d", "nobody"), "address"),
        (MAIL + "starttls=false\n", "this machine alone"),
        (MAIL.replace("['c@d']", "[]"), "to"),
        (MAIL + "verdicts=['waiting']\n", "waits"),
        (SYSTEM, "in the clear"),
        (SYSTEM + "tls=true\ntls_authorities='/nowhere'\n", "certificate of destination s"),
    ],
)
def test_places_that_cannot_be_meant_are_refused(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=why) as raised:
        read_destinations(file, "NIGHTREAD")
    assert SECRET not in str(raised.value)


def test_places_that_are_meant_are_read(tmp_path: Path) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text(HOOK + MAIL + SYSTEM + "in_the_clear=true\n")
    found = read_destinations(file, "NIGHTREAD")
    assert found.names == ["h", "m", "s"]
    assert SECRET not in repr(found)
