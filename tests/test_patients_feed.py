from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import hl7
import hl7.client
import pytest
from certificates import authority, signed_by
from conftest import free_port, wait_until
from console import environment
from filed_cases import NOW, file_study
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import migrations
from dicom_listener.tls import tls_context
from pacs.adt import Answer, Feed, answer
from pacs.mllp import MllpServer
from screening.domain.account import Actor, Role
from screening.domain.prediction import Prediction
from screening.errors import RecordsError, UnrecordableError
from screening.records.audit import read_audit
from screening.records.cases import find_case
from screening.records.engine import Records
from screening.records.feed import FeedMessage, take_message
from screening.records.identities import Change, list_changes
from screening.records.surviving import Identifier
from screening.settings import Settings

FEED = Feed(("HIS",), "HOSP")


def message(
    old: str = "A^^^HOSP^MR",
    new: str = "B^^^HOSP^MR",
    *,
    event: str = "ADT^A40^ADT_A39",
    control: str = "M1",
    name: str = "",
    application: str = "HIS",
    processing: str = "P",
    charset: str = "",
    encoding: str = "utf-8",
) -> bytes:
    msh = f"MSH|^~\\&|{application}|HOSPITAL|NIGHTREAD||20260301220000||{event}|{control}|"
    msh += f"{processing}|2.5.1||||||{charset}"
    pid = f"PID|1||{new}||{name}||19900102|F"
    return "\r".join((msh, "EVN|A40|20260301220000", pid, f"MRG|{old}", "")).encode(encoding)


def taker(records: Records) -> Callable[[FeedMessage], int]:
    def take(told: FeedMessage) -> int:
        actor = Actor("hl7:HIS", Role.ADMIN, "feed")
        return records.repeat(lambda session: take_message(session, told, actor, NOW))

    return take


def told(records: Records, content: bytes) -> Answer:
    return answer(content, FEED, taker(records))


def read(answered: Answer) -> tuple[str, str, str]:
    """Read an acknowledgement by a library: code, control identifier, words."""
    parsed = hl7.parse(answered.content.decode())
    msa = parsed.segment("MSA")
    words = str(parsed.segment("ERR")[8]) if b"\rERR|" in answered.content else ""
    return str(msa[1]), str(msa[2]), words


def changes(records: Records) -> list[Change]:
    with records.read() as session:
        return list_changes(session)


def patient_of(records: Records, uid: str) -> tuple[str | None, str | None]:
    with records.read() as session:
        case = find_case(session, uid)
    assert case is not None
    return case.patient_id, case.patient_name


def nothing(_: FeedMessage) -> int:
    raise AssertionError("nothing is to be done")


def test_a_merged_patient_is_merged_and_acknowledged(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9), patient_id="A")
    answered = told(records, message(name="NEW^ANN^^^DR"))
    assert read(answered) == ("AA", "M1", "")
    assert patient_of(records, "1.1") == ("B", "NEW^ANN^^DR")
    with records.read() as session:
        entries = read_audit(session)
    assert {entry.actor for entry in entries} == {"hl7:HIS"}
    assert not any("|" in entry.detail or "ANN" in entry.detail for entry in entries)


def test_a_merge_of_patients_who_come_later_waits_for_them(records: Records) -> None:
    assert read(told(records, message()))[0] == "AA"
    file_study(records, "1.1", Prediction(0.9), patient_id="A")
    file_study(records, "1.2", Prediction(0.9), patient_id="A", issuer_of_patient_id="HOSP")
    file_study(records, "1.3", Prediction(0.9), patient_id="A", issuer_of_patient_id="ELSEWHERE")
    found = [patient_of(records, uid)[0] for uid in ("1.1", "1.2", "1.3")]
    assert found == ["B", "B", "A"]


def test_the_same_message_twice_is_done_once_and_acknowledged_twice(records: Records) -> None:
    assert read(told(records, message()))[0] == "AA"
    before = changes(records)
    again = told(records, message())
    assert (read(again)[0], again.changes) == ("AA", 0)
    assert changes(records) == before


def test_a_number_that_is_used_again_does_not_hide_another_message(records: Records) -> None:
    told(records, message())
    told(records, message("C^^^HOSP", "D^^^HOSP"))
    assert {each.old.patient_id for each in changes(records)} == {"A", "C"}


def test_a_repeated_message_does_not_bring_back_what_was_undone(records: Records) -> None:
    from screening.records.identities import undo

    told(records, message())
    for each in changes(records):
        with records.begin() as session:
            undo(session, each.number, Actor("console:x", Role.ADMIN, "console"), "wrong", NOW)
    assert read(told(records, message()))[0] == "AA"
    assert all(each.undone_at for each in changes(records))


def test_a_message_that_contradicts_is_an_error_that_names_no_patient(records: Records) -> None:
    told(records, message("SECRET1^^^HOSP", "SECRET2^^^HOSP"))
    code, control, words = read(
        told(records, message("SECRET2^^^HOSP", "SECRET1^^^HOSP", control="M2"))
    )
    assert (code, control) == ("AE", "M2")
    assert "undo" in words
    assert "SECRET" not in words
    assert len(changes(records)) == 2, "with the authority as issuer, and without"


def test_several_patients_of_one_message_are_merged_together_or_not_at_all(
    records: Records,
) -> None:
    both = message() + b"PID|2||Y^^^HOSP\rMRG|X^^^HOSP\r"
    assert read(told(records, both))[0] == "AA"
    assert {each.old.patient_id for each in changes(records)} == {"A", "X"}
    torn = message("P^^^HOSP", "Q^^^HOSP", control="M9") + b"PID|2||A^^^HOSP\rMRG|B^^^HOSP\r"
    assert read(told(records, torn))[0] == "AE"
    assert {each.old.patient_id for each in changes(records)} == {"A", "X"}


def test_a_message_merges_so_many_patients_and_no_more(records: Records) -> None:
    head, event, pid, mrg, _ = message().decode().split("\r")
    groups = [
        line.replace("B^^^", f"B{number}^^^").replace("A^^^", f"A{number}^^^")
        for number in range(21)
        for line in (pid, mrg)
    ]
    many = "\r".join([head, event, *groups, ""]).encode()
    assert read(told(records, many))[0] == "AR"
    assert changes(records) == []


def test_what_no_database_takes_is_not_asked_for_again() -> None:
    def take(_: FeedMessage) -> int:
        raise UnrecordableError("no")

    assert answer(message(), Feed((), "HOSP"), take).code == "AR"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("A^^^HOSP^MR~1^^^SOC^SS", "1^^^SOC^SS~B^^^HOSP^MR", {("A", None), ("A", "HOSP")}),
        ("A^^^OTHER^MR", "B^^^OTHER^MR", {("A", "OTHER")}),
        ("A^^^OTHER&1.2.3&ISO^MR", "B^^^OTHER&1.2.3&ISO^PI~C^^^OTHER^MR", {("A", "OTHER")}),
        ("A", "B", {("A", None), ("A", "HOSP")}),
        ("A\\T\\1^^^OTHER", "B^^^OTHER", {("A&1", "OTHER")}),
    ],
)
def test_identifiers_of_one_authority_and_kind_belong_together(
    records: Records, old: str, new: str, expected: set[tuple[str, str | None]]
) -> None:
    assert read(told(records, message(old, new)))[0] == "AA"
    assert {tuple(each.old) for each in changes(records)} == expected


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (message("", ""), "AE"),
        (message("A^^^NORTH", "B^^^SOUTH"), "AE"),
        (message("A^^^HOSP", "B^^^HOSP~C^^^HOSP"), "AE"),
        (message("A^^^HOSP^AN", "B^^^HOSP^AN"), "AE"),
        (message(charset="ISO IR87"), "AE"),
        (message(name="M\xfcLLER", charset="UNICODE UTF-8", encoding="latin-1"), "AE"),
        (message(application="STRANGER"), "AR"),
        (message(control=""), "AR"),
        (message(event="ORU^R01"), "AR"),
        (message(processing="T"), "AR"),
        (message().replace(b"PID|", b"ZID|"), "AE"),
        (b"", "AR"),
        (b"MSH", "AR"),
        (b"MSH|^~\\&|", "AR"),
        (b"GET / HTTP/1.1\r\n\r\n", "AR"),
        (b"\0" * 100, "AR"),
    ],
)
def test_what_cannot_be_done_is_answered_so_and_changes_nothing(content: bytes, code: str) -> None:
    answered = answer(content, FEED, nothing)
    assert read(answered)[0] == code
    assert b"\rERR|||" in answered.content


def test_an_identifier_that_is_none_is_an_error_that_does_not_repeat_it(records: Records) -> None:
    answered = told(records, message("x" * 300 + "^^^HOSP"))
    assert read(answered)[0] == "AE"
    assert b"xxx" not in answered.content


@pytest.mark.parametrize("event", ["ADT^A08", "ADT^A01^ADT_A01", "ADT^A31"])
def test_other_events_are_acknowledged_and_change_nothing(event: str) -> None:
    assert read(answer(message(event=event), FEED, nothing))[0] == "AA"


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("", "utf-8"), ("", "latin-1")],
)
def test_a_name_is_read_in_the_character_set_of_the_message(
    records: Records, charset: str, encoding: str
) -> None:
    file_study(records, "1.1", Prediction(0.9), patient_id="A")
    told(records, message(name="M\xfcLLER", charset=charset, encoding=encoding))
    assert patient_of(records, "1.1")[1] == "M\xfcLLER"


def test_a_database_that_is_away_is_an_error_that_asks_to_send_again() -> None:
    def take(_: FeedMessage) -> int:
        raise RecordsError("host=secret")

    code, _, words = read(answer(message(), FEED, take))
    assert (code, "send it again" in words, "secret" in words) == ("AE", True, False)


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_reader(content: bytes, begun: bool) -> None:
    content = b"MSH|^~\\&|HIS||||||ADT^A40|1|P|2.5\r" + content if begun else content
    assert read(answer(content, FEED, lambda _: 0))[0] in ("AA", "AE", "AR")


@contextmanager
def served(answering: Callable[[bytes], Answer], **choices: object) -> Iterator[int]:
    """Serve on loopback in a thread."""
    port = int(str(choices.pop("port", None) or free_port()))
    loop = asyncio.new_event_loop()
    tls = choices.pop("tls", None)

    async def serve() -> None:
        server = MllpServer(answering, **choices)  # type: ignore[arg-type]
        await server.serve("127.0.0.1", port, ended, tls)  # type: ignore[arg-type]

    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        wait_until(lambda: _connects(port), 10, "the feed listens")
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        assert not thread.is_alive(), "it ends, whoever has not read an answer"
        loop.close()


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _acknowledge(content: bytes) -> Answer:
    return answer(content, FEED, lambda _: 1)


def test_a_library_exchanges_messages_with_us_on_one_line(records: Records) -> None:
    with (
        served(lambda content: told(records, content)) as port,
        hl7.client.MLLPClient("127.0.0.1", port) as client,
    ):
        for number in range(3):
            sent = message(f"A{number}", f"B{number}", control=f"M{number}")
            found = hl7.parse(
                client.send_message(hl7.parse(sent.decode())).strip(b"\x0b\x1c\r").decode()
            )
            assert (str(found.segment("MSA")[1]), str(found.segment("MSA")[2])) == (
                "AA",
                f"M{number}",
            )
    assert len(changes(records)) == 6


def _line(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def test_a_message_in_pieces_is_one_message() -> None:
    with served(_acknowledge) as port, _line(port) as line:
        for byte in b"\r\n\x0b" + message() + b"\x1c\r":
            line.sendall(bytes([byte]))
        assert b"MSA|AA|M1" in line.recv(4096)


@pytest.mark.parametrize(
    "sent", [b"MSH|^~\\&|", b"\x0b" + message()[:40], b"\x0b" + b"x" * 400_000, b"\x00"]
)
def test_a_frame_that_is_none_too_long_or_too_slow_ends_its_line_alone(sent: bytes) -> None:
    with (
        served(_acknowledge, message_seconds=0.3) as port,
        _line(port) as line,
        _line(port) as other,
    ):
        with contextlib.suppress(ConnectionError):  # it may be closed before all was sent
            line.sendall(sent)
            assert line.recv(4096) == b""
        other.sendall(b"\x0b" + message() + b"\x1c\r")
        assert b"MSA|AA" in other.recv(4096)


def _huge(content: bytes) -> Answer:
    """Answer one application with more than a kernel keeps for whoever does not read."""
    found = _acknowledge(content)
    return replace(found, content=b"x" * 50_000_000) if b"|DEAF|" in content else found


def _deaf(port: int) -> socket.socket:
    line = _line(port)
    line.sendall(b"\x0b" + message(application="DEAF") + b"\x1c\r")
    assert line.recv(1) == b"\x0b", "it is being answered"
    return line


def _answered(line: socket.socket) -> bool:
    line.sendall(b"\x0b" + message() + b"\x1c\r")
    return b"MSA|AA" in line.recv(4096)


def test_who_does_not_read_answers_keeps_neither_others_nor_the_end_waiting() -> None:
    with served(_huge) as port, _deaf(port), _line(port) as other:
        other.settimeout(5)
        assert _answered(other)


def test_who_does_not_read_answers_is_closed() -> None:
    with served(_huge, message_seconds=0.3) as port, _deaf(port) as line:
        wait_until(lambda: _is_cut_off(line), 10, "the line is closed")


def _is_cut_off(line: socket.socket) -> bool:
    try:
        line.sendall(b"\r\n")
    except ConnectionError:
        return True
    return False


def test_a_line_that_nobody_is_at_any_more_is_noticed_within_seconds() -> None:
    with served(_acknowledge) as port, _line(port) as line:
        assert _answered(line)
        # Of the kernel's table: the timer of an established line, and 1/100 s until it goes off.
        table = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = [row[5] for row in table if row[3] == "01" and row[1].endswith(f":{port:04X}")]
        assert [timer.partition(":")[0] for timer in ours] == ["02"], "a timer for keepalive"
        assert int(ours[0].partition(":")[2], 16) <= 2000


def test_where_all_places_are_taken_the_line_that_was_silent_for_longest_makes_room() -> None:
    with served(_acknowledge) as port, contextlib.ExitStack() as stack:
        lines = []
        for _ in range(16):
            lines.append(stack.enter_context(_line(port)))
            assert _answered(lines[-1])
        assert _answered(lines[0])
        assert _answered(stack.enter_context(_line(port)))
        assert _ended(lines[1])
        assert all(_answered(line) for line in (lines[0], *lines[2:]))


def test_a_line_from_elsewhere_is_closed() -> None:
    with (
        served(_acknowledge, networks=(ip_network("10.0.0.0/8"),)) as port,
        _line(port) as line,
    ):
        assert line.recv(4096) == b""


CHILD = """
import asyncio, os, signal, sys
from pacs.adt import answer
from pacs.mllp import MllpServer
from screening.records.engine import Records
sys.path.insert(0, "tests")
from test_patients_feed import FEED, taker
records = Records(sys.argv[1])
def die(told):
    taker(records)(told)
    os.kill(os.getpid(), signal.SIGKILL)
async def main():
    server = MllpServer(lambda content: answer(content, FEED, die))
    await server.serve("127.0.0.1", int(sys.argv[2]), asyncio.Event())
asyncio.run(main())
"""


def test_killed_between_commit_and_acknowledgement_nothing_is_lost_or_doubled(
    records: Records, database_url: str
) -> None:
    port = free_port()
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, database_url, str(port)], cwd=root, env=environment()
    ) as child:
        wait_until(lambda: _connects(port), 60, "the child listens")
        with _line(port) as line:
            line.sendall(b"\x0b" + message() + b"\x1c\r")
            assert _ended(line), "no acknowledgement came"
        assert child.wait(20) == -signal.SIGKILL
    before = changes(records)
    assert len(before) == 2
    assert read(told(records, message()))[0] == "AA"
    assert changes(records) == before


def _ended(line: socket.socket) -> bool:
    try:
        return line.recv(4096) == b""
    except ConnectionError:
        return True


def test_a_feed_by_tls_must_show_a_certificate(tmp_path: Path) -> None:
    signer = authority(tmp_path, "hospital")
    ours, theirs = signed_by(signer, "ours"), signed_by(signer, "theirs")
    chosen = Settings(
        adt_port=1,
        adt_authority="HOSP",
        adt_tls=True,
        tls_certificate=ours.path,
        tls_key=ours.key,
        tls_authorities=signer.path,
    )
    client = ssl.create_default_context(cafile=str(signer.path))
    with served(_acknowledge, tls=tls_context(chosen)) as port:
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            client.wrap_socket(_line(port), server_hostname="localhost") as stranger,
        ):
            stranger.sendall(b"\x0b" + message() + b"\x1c\r")
            assert stranger.recv(4096) == b""
        client.load_cert_chain(theirs.path, theirs.key)
        with client.wrap_socket(_line(port), server_hostname="localhost") as line:
            line.sendall(b"\x0b" + message() + b"\x1c\r")
            assert b"MSA|AA" in line.recv(4096)


def test_the_process_takes_a_feed_and_logs_no_patient(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"adt_port": free_port(), "adt_authority": "HOSP"})
    records = Records(settings.records_url)
    migrations.upgrade(records)
    chosen = environment(
        data_dir=settings.data_dir, adt_port=settings.adt_port, adt_authority="HOSP"
    )
    log = tmp_path / "adt.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "nightread", "adt"], env=chosen, stdout=file, stderr=file
        ) as child,
    ):
        try:
            wait_until(lambda: _connects(settings.adt_port), 60, "the feed listens", log.read_text)
            with _line(settings.adt_port) as line:
                sent = message("SECRET1", "SECRET2", name="SECRET^NAME")
                line.sendall(b"\x0b" + sent + b"\x1c\r")
                assert b"MSA|AA|M1" in line.recv(4096)
        finally:
            child.terminate()
        assert child.wait(30) == 0
    assert {tuple(each.new) for each in changes(records)} == {
        Identifier("SECRET2", None),
        Identifier("SECRET2", "HOSP"),
    }
    records.close()
    assert "adt_answered" in log.read_text()
    assert "SECRET" not in log.read_text()


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"adt_port": 1}, "ADT_AUTHORITY"),
        ({"adt_port": 1, "adt_authority": "H", "adt_host": "0.0.0.0"}, "ADT_NETWORKS"),
        ({"adt_port": 1, "adt_authority": "H", "adt_tls": True}, "TLS_CERTIFICATE"),
    ],
)
def test_a_feed_that_anybody_could_send_is_refused(chosen: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**chosen)  # type: ignore[arg-type]
