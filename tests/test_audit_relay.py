"""The audit in the hospital's repository: a real rsyslog over TLS, that comes, goes and refuses."""

from __future__ import annotations

import datetime as dt
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from audit_repository import AuditRepository, audit_repository
from certificates import Certificate, authority, signed_by
from conftest import free_port, wait_until
from console import environment, nightread

import migrations
from nightread.check_audit import check_audit
from nightread.child import Child
from nightread.finding import Level
from nightread.supervisor import Supervisor
from screening.auditing.relay import Relay
from screening.auditing.syslog import Repository
from screening.domain.account import Actor, Role
from screening.errors import RecordsError, RelayError, SettingsError
from screening.records import audit, audit_relay
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.state import State

ANNA = Actor("anna", Role.RADIOLOGIST, "10.1.2.3")
NOW = dt.datetime(2026, 5, 4, 3, 2, 1, 123000, dt.UTC)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return authority(tmp_path_factory.mktemp("certificates"), "hospital")


@pytest.fixture(scope="module")
def shown(signer: Certificate) -> Certificate:
    return signed_by(signer, "repository")


@pytest.fixture
def repository(
    tmp_path: Path, signer: Certificate, shown: Certificate
) -> Iterator[AuditRepository]:
    with audit_repository(tmp_path / "rsyslog", signer, shown) as made:
        yield made


@pytest.fixture
def told(settings: Settings, repository: AuditRepository, signer: Certificate) -> Settings:
    """Settings that name the repository, with a database of their own."""
    chosen = {"audit_syslog": repository.address, "audit_syslog_authorities": signer.path}
    return settings.model_copy(update=chosen)


@pytest.fixture
def book(told: Settings) -> Iterator[Records]:
    opened = Records(told.records_url)
    migrations.upgrade(opened)
    yield opened
    opened.close()


def look(records: Records, numbers: range) -> None:
    for number in numbers:
        with records.begin() as session:
            audit.note(session, ANNA, audit.Event.LISTED, NOW, detail=f"number {number}")


Relays = Callable[[Settings, Records], Relay]


@pytest.fixture
def relay() -> Iterator[Relays]:
    """Makes relays, which end with the test."""
    made: list[Relay] = []

    def begin(settings: Settings, records: Records) -> Relay:
        made.append(Relay(settings, records, Repository(settings)))
        return made[-1]

    yield begin
    for each in made:
        each.end()


def numbers(repository: AuditRepository) -> list[int]:
    """Return of which entries messages came, in the order in which they came."""
    from base64 import b64decode

    found = []
    for line in repository.messages():
        asked = content(line).find(".//ParticipantObjectQuery")
        assert asked is not None
        found.append(int(b64decode(asked.text or "").decode().partition(" ")[2]))
    return found


def content(line: str) -> Element:
    return fromstring(line.partition("\ufeff")[2])


def lag(records: Records) -> int:
    with records.read() as session:
        return audit_relay.read_lag(session).entries


def test_a_message_arrives_as_the_standard_wants_it(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    look(book, range(1))
    assert relay(told, book).send_all() == 1
    wait_until(repository.messages, 60, "a message came")
    [line] = repository.messages()
    header, _, xml = line.partition("\ufeff")
    # RFC 5424, 6.2; PS3.15 A.6: facility 10, severity 5.
    assert re.fullmatch(
        r"<85>1 2026-05-04T03:02:01\.123000Z [!-~]+ nightread - DICOM\+RFC3881 - ", header
    )
    assert xml.startswith('<?xml version="1.0" encoding="UTF-8"?><AuditMessage>')


def test_all_entries_arrive_once_and_in_order(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    look(book, range(250))  # more than are sent at once
    assert relay(told, book).send_all() == 250
    assert lag(book) == 0
    wait_until(lambda: len(repository.messages()) == 250, 60, "all came")
    assert numbers(repository) == list(range(250))
    assert relay(told, book).send_all() == 0, "what was sent is not sent again"


def test_a_repository_that_is_away_gets_everything_when_it_is_back(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    sender = relay(told, book)
    look(book, range(2))
    sender.send_all()
    wait_until(lambda: len(repository.messages()) == 2, 60, "the first came")
    repository.stop()
    look(book, range(2, 5))
    with pytest.raises(RelayError, match="does it run"):
        sender.send_all()
    assert lag(book) == 3
    repository.start()
    look(book, range(5, 6))
    assert sender.send_all() == 4
    repository.stop()
    repository.start()
    look(book, range(6, 7))
    assert sender.send_all() == 1, "a restart in between is noticed before anything is sent"
    wait_until(lambda: len(repository.messages()) == 7, 60, "the others came")
    assert numbers(repository) == list(range(7))


def test_what_was_sent_and_not_noted_is_sent_again_and_is_the_same(
    told: Settings,
    book: Records,
    repository: AuditRepository,
    monkeypatch: pytest.MonkeyPatch,
    relay: Relays,
) -> None:
    look(book, range(3))

    def die(*_: object) -> bool:
        raise RecordsError("the process is killed here")

    first = relay(told, book)
    with monkeypatch.context() as patched:
        patched.setattr(audit_relay, "note_sent", die)
        with pytest.raises(RecordsError):
            first.send_all()
    first.end()
    assert relay(told, book).send_all() == 3
    wait_until(lambda: len(repository.messages()) == 6, 60, "all came twice")
    came = repository.messages()
    assert came[:3] == came[3:]


def test_a_relay_that_is_killed_loses_and_reorders_nothing(
    told: Settings, book: Records, repository: AuditRepository, tmp_path: Path, relay: Relays
) -> None:
    look(book, range(1500))
    sender = subprocess.Popen(
        [sys.executable, "-P", "-m", "nightread", "audit", "relay"],
        env=process_settings(told),
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: lag(book) < 1500, 60, "it has begun")
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    before = lag(book)
    assert before > 0, "it was killed in the middle"
    with book.begin() as session:  # its turn is over
        audit_relay.give_turn_back(session, holder(book))
    assert relay(told, book).send_all() == before
    wait_until(lambda: len(set(repository.messages())) == 1500, 20, "all came")
    came = numbers(repository)
    assert list(dict.fromkeys(came)) == list(range(1500)), "by when each came first"
    assert len(came) <= 1600, "at most one batch came twice"


def holder(records: Records) -> str:
    from sqlalchemy import text

    with records.read() as session:
        return str(session.execute(text("SELECT held_by FROM audit_relay")).scalar_one())


def process_settings(settings: Settings) -> dict[str, str]:
    chosen = settings.model_dump(exclude_defaults=True)
    return environment(**{name: value for name, value in chosen.items() if value != ()})


def test_one_relay_sends_at_a_time(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    first, second = relay(told, book), relay(told, book)
    look(book, range(1))
    assert first.send_all() == 1
    look(book, range(1, 2))
    assert second.send_all() == 0, "it is the first one's turn"
    first.end()
    assert second.send_all() == 1
    look(book, range(2, 3))
    with book.begin() as session:
        long_after = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
        assert audit_relay.take_turn(session, "a third", long_after, long_after)
        assert not audit_relay.note_sent(session, "the first", 99, long_after)
    assert lag(book) == 1


def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    told: Settings, book: Records, repository: AuditRepository, tmp_path: Path, relay: Relays
) -> None:
    stranger = authority(tmp_path, "stranger")
    look(book, range(1))
    trusting = told.model_copy(update={"audit_syslog_authorities": stranger.path})
    with pytest.raises(RelayError, match="NIGHTREAD_AUDIT_SYSLOG_AUTHORITIES must hold who signed"):
        relay(trusting, book).send_all()
    assert (lag(book), repository.messages()) == (1, [])


def test_a_certificate_of_another_name_gets_nothing(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    look(book, range(1))
    other = told.model_copy(update={"audit_syslog": f"127.0.0.1:{repository.port}"})
    with pytest.raises(RelayError, match=r"not trusted .*IP address mismatch"):
        relay(other, book).send_all()
    assert (lag(book), repository.messages()) == (1, [])


def test_a_repository_that_asks_for_our_certificate_gets_it(
    told: Settings,
    book: Records,
    signer: Certificate,
    shown: Certificate,
    tmp_path: Path,
    relay: Relays,
) -> None:
    ours = signed_by(signer, "ours")
    look(book, range(1))
    with audit_repository(tmp_path / "asking", signer, shown, asks=True) as asking:
        chosen = told.model_copy(update={"audit_syslog": asking.address})
        with pytest.raises(RelayError, match="NIGHTREAD_AUDIT_SYSLOG_CERTIFICATE"):
            relay(chosen, book).send_all()
        assert lag(book) == 1
        pair = {"audit_syslog_certificate": ours.path, "audit_syslog_key": ours.key}
        with book.begin() as session:
            audit_relay.give_turn_back(session, holder(book))
        assert relay(chosen.model_copy(update=pair), book).send_all() == 1
        wait_until(asking.messages, 60, "it came")


def test_what_is_no_tls_gets_nothing(told: Settings, book: Records, relay: Relays) -> None:
    import socket
    import threading

    look(book, range(1))
    with socket.create_server(("127.0.0.1", 0)) as plain:
        heard: list[bytes] = []

        def answer() -> None:
            line, _ = plain.accept()
            with line:
                heard.append(line.recv(4096))
                line.sendall(b"HTTP/1.0 400 no\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"localhost:{plain.getsockname()[1]}"
        with pytest.raises(RelayError, match="ended TLS"):
            relay(told.model_copy(update={"audit_syslog": address}), book).send_all()
        thread.join(10)
    assert b"AuditMessage" not in heard[0]
    assert lag(book) == 1


def test_an_entry_of_a_newer_release_waits_with_what_follows(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    from sqlalchemy import text

    look(book, range(1))
    with book.begin() as session:
        session.execute(
            text(
                "INSERT INTO audit (at, actor, address, event, detail, digest)"
                " VALUES (:at, 'x', 'y', 'of_tomorrow', '', 'd')"
            ),
            {"at": "2026-01-01 00:00:00.000000"},
        )
    look(book, range(1, 2))
    with pytest.raises(RelayError, match="of_tomorrow"):
        relay(told, book).send_all()
    wait_until(repository.messages, 60, "the first came")
    assert (numbers(repository), lag(book)) == ([0], 2)


def figures(settings: Settings, records: Records) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in State(settings, records).collect()
        for sample in family.samples
    }


def test_the_lag_is_a_figure_and_the_doctor_says_it(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    look(book, range(3))
    found = figures(told, book)
    assert found["nightread_audit_unsent"] == 3
    assert found["nightread_audit_oldest_unsent_seconds"] > 0
    said = list(check_audit(told))
    assert [each.level for each in said] == [Level.OK, Level.WARN]
    assert "does nightread audit relay run?" in said[1].detail
    relay(told, book).send_all()
    found = figures(told, book)
    assert found["nightread_audit_oldest_unsent_seconds"] == found["nightread_audit_unsent"] == 0
    repository.stop()
    assert [each.level for each in check_audit(told)] == [Level.FAIL, Level.OK]


def test_where_no_repository_is_set_nobody_speaks_of_it(settings: Settings) -> None:
    records = Records(settings.records_url)
    migrations.upgrade(records)
    names = {each.name for each in State(settings, records).collect()}
    assert not [name for name in names if "audit" in name]
    assert list(check_audit(settings)) == []
    records.close()


def test_the_command_sends_once_or_says_why_not(
    told: Settings, book: Records, repository: AuditRepository, tmp_path: Path
) -> None:
    look(book, range(2))
    chosen = {
        "data_dir": told.data_dir,
        "audit_syslog": told.audit_syslog,
        "audit_syslog_authorities": told.audit_syslog_authorities,
    }
    ran = nightread("audit", "relay", "--once", cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    assert f"2 entries of the audit sent to {repository.address}" in ran.stderr
    repository.stop()
    look(book, range(2, 3))
    ran = nightread("audit", "relay", "--once", cwd=tmp_path, **chosen)
    assert (ran.returncode, ran.stderr.splitlines()[-1][:6]) == (1, "error:")
    ran = nightread("audit", "relay", "--once", cwd=tmp_path, data_dir=told.data_dir)
    assert ran.returncode == 2
    assert "NIGHTREAD_AUDIT_SYSLOG names no audit repository" in ran.stderr


def test_up_starts_it_where_a_repository_is_set(settings: Settings) -> None:
    def started(chosen: Settings) -> list[str]:
        return [child.name for child in Supervisor(chosen, print)._children()]

    assert "audit relay" not in started(settings)
    assert "audit relay" in started(settings.model_copy(update={"audit_syslog": "here"}))


def test_it_runs_with_the_other_processes_and_ends_when_asked(
    told: Settings, book: Records, repository: AuditRepository, relay: Relays
) -> None:
    port = free_port()
    look(book, range(1))
    chosen = process_settings(told.model_copy(update={"relay_watch_port": port}))
    sender = Child("audit relay", "audit relay", chosen, told.data_dir / "audit-relay.log")
    sender.start()
    try:
        wait_until(repository.messages, 30, "the first came")
        look(book, range(1, 2))
        wait_until(lambda: len(repository.messages()) == 2, 20, "the second came")
        wait_until(lambda: lag(book) == 0, 60, "the second is noted: it is not sent again")
        assert asked(port)["repository"] == "ok"
        repository.stop()
        look(book, range(2, 3))
        wait_until(lambda: asked(port)["repository"] != "ok", 20, "it says that it cannot send")
        repository.start()
        wait_until(lambda: len(repository.messages()) == 3, 40, "the third came")
    finally:
        sender.terminate()
        assert sender.wait(20)
    said = (told.data_dir / "audit-relay.log").read_text()
    assert '"event": "relay_stopped"' in said
    assert "number 0" not in said
    assert relay(told, book).send_all() == 0, "it gave its turn back, and nothing is left"


def asked(port: int) -> dict[str, str]:
    import json
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))


@pytest.mark.parametrize(
    "value", ["host:port", "a:70000", "tls://host", "me@host", "host/x", ":6514"]
)
def test_an_address_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="host"):
        Settings(audit_syslog=value)


def test_a_certificate_that_cannot_be_read_is_named(settings: Settings, tmp_path: Path) -> None:
    for chosen, name in (
        ({"audit_syslog_authorities": tmp_path / "none"}, "AUTHORITIES"),
        ({"audit_syslog_certificate": tmp_path / "none", "audit_syslog_key": tmp_path}, "CERT"),
    ):
        wrong = settings.model_copy(update={"audit_syslog": "localhost", **chosen})
        with pytest.raises(SettingsError, match=f"NIGHTREAD_AUDIT_SYSLOG_{name}"):
            Repository(wrong)
    with pytest.raises(ValueError, match="go together"):
        Settings(audit_syslog_certificate=tmp_path)


@pytest.mark.parametrize(
    ("value", "name"),
    [("h", "h:6514"), ("h:1", "h:1"), ("[::1]:2", "::1:2"), ("[::1]", "::1:6514")],
)
def test_a_port_is_the_registered_one_unless_named(
    settings: Settings, value: str, name: str
) -> None:
    assert Repository(settings.model_copy(update={"audit_syslog": value})).name == name
