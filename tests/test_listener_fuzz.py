"""Bad bytes: the listener answers, refuses or hangs up, and serves all others meanwhile."""

from __future__ import annotations

import contextlib
import random
import re
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import free_port
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian
from raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RQ,
    COMMAND,
    ECHO,
    EXPLICIT_LITTLE,
    LAST,
    P_DATA,
    RADIOGRAPH,
    RELEASE_RP,
    RELEASE_RQ,
    STORE,
    VERIFICATION,
    RawPeer,
    associate_request,
    command_set,
    element,
    image,
    item,
    pdu,
    pdv,
    store_command,
)
from sqlalchemy import select
from structlog.testing import capture_logs
from test_listener_store import Door, associations, kept_files

from dicom_listener import listener as listener_module
from screening.archive.incoming_file import content_digest
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.errors import HeaderError
from screening.records.schema import ConflictRow, InstanceRow
from screening.settings import Settings

CASES = 300
SOAK_CASES = 10_000
# The statuses by which a data set may be refused for what it holds.
REFUSED = {0x0122, 0xA900, 0xC000}
CRASHES = {"association_failed", "store_failed", "thread_died", "connection_failed"}


@dataclass
class Crowd:
    """A listener under bad bytes, and an honest sender beside them."""

    door: Door
    slowest: float = 0.0
    stored: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def send_all_the_time(self) -> None:
        with RawPeer(self.door.settings.dicom_port) as peer:
            peer.associate(calling="HONEST")
            while not self._stop.is_set():
                uid = f"1.9.{self.stored}"
                started = time.monotonic()
                assert peer.store(uid, image(uid, "1.9")).status == 0x0000
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.stored += 1
                time.sleep(0.05)
            peer.release()

    @contextlib.contextmanager
    def honest_sender(self) -> Iterator[None]:
        errors: list[BaseException] = []

        def send() -> None:
            try:
                self.send_all_the_time()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        assert errors == [], "the honest sender is served all the time"
        assert self.stored > 0

    def require_sound(self) -> None:
        """All that is recorded is there with its bytes, and nothing half received is left."""
        assert list(self.door.archive.incoming.iterdir()) == []
        with self.door.records.read() as session:
            rows = [*session.scalars(select(InstanceRow)), *session.scalars(select(ConflictRow))]
        for row in rows:
            path = self.door.archive.open_path(row.digest)
            assert row.digest == content_digest(
                path, offset=data_set_offset(path), transfer_syntax_uid=row.transfer_syntax_uid
            )
        assert {path.stem for path in kept_files(self.door)} == {row.digest for row in rows}

    def counted(self) -> int:
        """How many data sets the records of the associations count as taken."""
        return sum(row.stored + row.duplicates + row.conflicts for row in associations(self.door))


@pytest.fixture
def crowd(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    monkeypatch.setattr(listener_module, "_ARTIM_SECONDS", 5)
    door = Door(settings.model_copy(update={"maximum_associations": 500}))
    opened = Crowd(door)
    with capture_logs() as logs:
        yield opened
        door.close()
    assert [log for log in logs if log["event"] in CRASHES] == []


def transfer_syntax_of(content: bytes) -> str:
    found = re.search(rb"\x02\x00\x10\x00UI..([0-9.]+)", content[132:1000], re.DOTALL)
    return found[1].decode() if found else EXPLICIT_LITTLE


def data_set_of(path: Path, content: bytes) -> bytes:
    with contextlib.suppress(HeaderError):
        return content[data_set_offset(path) :]
    return content


@pytest.mark.parametrize("sample", [3, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("corpus", ["dicom", "dicom_fuzz"])
def test_files_of_a_corpus_are_stored_or_refused_with_a_reason(
    crowd: Crowd, test_data: Path, corpus: str, sample: int
) -> None:
    stored = refused = 0
    files = sorted(path for path in (test_data / corpus).rglob("*") if path.is_file())[::sample]
    with crowd.honest_sender():
        for path in files:
            content = path.read_bytes()
            sop_class, uid = RADIOGRAPH, "1.2.3"
            with contextlib.suppress(HeaderError):
                header = read_header(path)
                sop_class, uid = header.sop_class_uid, header.sop_instance_uid
            with RawPeer(crowd.door.settings.dicom_port) as peer:
                peer.associate(sop_class, transfer_syntax_of(content))
                answer = peer.store(uid, data_set_of(path, content), sop_class)
                assert answer.status in REFUSED | {0x0000}, (path, answer)
                assert (answer.comment == "") == (answer.status == 0x0000)
                stored += answer.status == 0x0000
                refused += answer.status != 0x0000
                assert peer.echo() == 0x0000
                peer.release()
    crowd.door.listener.stop()
    print(f"{corpus}: {stored} stored, {refused} refused")
    assert stored + refused == len(files)
    assert crowd.counted() == stored + crowd.stored
    crowd.require_sound()


VRS = [b"AE", b"CS", b"DA", b"IS", b"LO", b"PN", b"SQ", b"UI", b"UL", b"UN", b"US", b"UT", b"zz"]
TAGS = [
    *(0x00080005, 0x00080008, 0x00080018, 0x00080020, 0x00080030, 0x00080050, 0x00080060),
    *(0x00082218, 0x00100010, 0x00100020, 0x00100030, 0x00101010, 0x0020000D, 0x0020000E),
    *(0x00200011, 0x00200013, 0x00280002, 0x00280008, 0x00280010, 0x00280011, 0xFFFEE00D),
]
ELEMENTS = st.lists(
    st.tuples(
        st.sampled_from(TAGS) | st.integers(0, 2**32 - 1),
        st.sampled_from(VRS),
        st.binary(max_size=80) | st.from_regex(rb"[0-9.^\\=]{0,70}", fullmatch=True),
    ),
    max_size=12,
)
ODD_UIDS = st.binary(max_size=70) | st.from_regex(rb"[0-9.]{1,64}", fullmatch=True)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_made_up_headers_and_commands(
    settings: Settings, request: pytest.FixtureRequest, database: str
) -> None:
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        chosen = {"database_url": url.replace("postgresql://", "postgresql+psycopg://")}
        settings = settings.model_copy(update=chosen)
    door = Door(settings)
    request.addfinalizer(door.close)
    crowd = Crowd(door)
    taken = 0

    @hypothesis_settings(
        max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(elements=ELEMENTS, uid=ODD_UIDS)
    @example(elements=[], uid=b"1.2\0.3")
    @example(elements=[], uid=b"1." + b"3" * 300)
    @example(elements=[(0x00280010, b"UL", b"\xff" * 4)], uid=b"1.2.3.4")
    def send(elements: list[tuple[int, bytes, bytes]], uid: bytes) -> None:
        nonlocal taken
        data_set = element(0x00080005, b"CS", b"ISO_IR 100")
        data_set += b"".join(element(*each) for each in elements)
        data_set += element(0x0020000D, b"UI", b"1.2")
        with RawPeer(settings.dicom_port) as peer:
            peer.associate()
            peer.command({2: RADIOGRAPH, 0x100: STORE, 0x110: 1, 0x800: 1, 0x1000: uid})
            peer.say(pdu(P_DATA, pdv(1, LAST, data_set)))
            answer = peer.answer()
            assert answer.status in REFUSED | {0x0000}, answer
            assert (answer.comment == "") == (answer.status == 0x0000)
            taken += answer.status == 0x0000
            peer.release()

    send()
    door.listener.stop()
    assert taken > 10
    assert crowd.counted() == taken
    crowd.require_sound()
    with crowd.door.records.read() as session:
        for row in session.scalars(select(InstanceRow)):
            assert row.sop_instance_uid.isprintable()
            assert 0 < len(row.sop_instance_uid) <= 256


def conversation(number: int) -> list[bytes]:
    """Return what an ordinary sender says: a request, two images, an echo, a release."""
    contexts = {1: (RADIOGRAPH, [EXPLICIT_LITTLE]), 3: (VERIFICATION, [EXPLICIT_LITTLE])}
    said = [associate_request(contexts, calling="FUZZ")]
    for part in range(2):
        uid = f"1.2.{number}.{part}"
        data_set = image(uid, f"1.2.{number}")
        half = len(data_set) // 4 * 2
        said.append(pdu(P_DATA, pdv(1, COMMAND | LAST, store_command(uid))))
        said.append(pdu(P_DATA, pdv(1, 0, data_set[:half]) + pdv(1, LAST, data_set[half:])))
    echo = {2: VERIFICATION, 0x100: ECHO, 0x110: 9, 0x800: 0x0101}
    said.append(pdu(P_DATA, pdv(3, COMMAND | LAST, command_set(echo))))
    said.append(pdu(RELEASE_RQ, bytes(4)))
    return said


LENGTHS = [0, 1, 2, 5, 0x7FFFFFFF, 0xFFFFFFFF]


def damaged(said: list[bytes], rng: random.Random) -> bytes:
    """Return a conversation with one to three things wrong."""
    said = list(said)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(said))
        content = bytearray(said[at])
        fault = rng.randrange(9)
        position = rng.randrange(len(content)) if content else 0
        if fault == 0 and content:
            content[position] ^= 1 << rng.randrange(8)
        elif fault == 1:
            del content[position:]
        elif fault == 2:
            del content[position : position + rng.randrange(1, 30)]
        elif fault == 3:
            content[position:position] = rng.randbytes(rng.randrange(1, 30))
        elif fault == 4 and len(content) > 6:
            content[2:6] = struct.pack(">I", rng.choice([*LENGTHS, len(content) - 7]))
        elif fault == 5 and len(content) > 12 and content[0] == P_DATA:
            content[6:10] = struct.pack(">I", rng.choice([*LENGTHS, len(content)]))
        elif fault == 6 and len(content) > 12:
            content[10:12] = rng.randbytes(2)
        elif fault == 7:
            content[:1] = rng.randbytes(1)
        said[at] = bytes(content)
        if fault == 8:
            said.insert(rng.randrange(len(said)), said.pop(at))
    return b"".join(said)


def say_and_hear_out(port: int, content: bytes) -> tuple[list[int], float]:
    """Say something, stop talking, and return the answers' types and how long it all took."""
    started = time.monotonic()
    with RawPeer(port) as peer:
        with contextlib.suppress(OSError):
            peer.say(content)
            peer.socket.shutdown(1)
        heard = peer.hear_the_end()
    return heard, time.monotonic() - started


def damage(crowd: Crowd, cases: int, seed: int) -> None:
    rng = random.Random(seed)
    ended: dict[tuple[int, ...], int] = {}
    slowest = 0.0
    with crowd.honest_sender():
        for number in range(cases):
            content = damaged(conversation(number), rng)
            heard, seconds = say_and_hear_out(crowd.door.settings.dicom_port, content)
            slowest = max(slowest, seconds)
            ended[tuple(heard)] = ended.get(tuple(heard), 0) + 1
    crowd.door.listener.stop()
    taken = crowd.counted() - crowd.stored
    print(f"{cases} cases, {taken} images taken, slowest {slowest:.2f} s, honest", end=" ")
    print(f"sender's slowest {crowd.slowest:.2f} s, {ended}")
    assert slowest < 5
    assert crowd.slowest < 5
    assert taken > cases / 4, "much of it is good"
    assert any(ABORT in heard for heard in ended)
    assert any(RELEASE_RP in heard for heard in ended)
    crowd.require_sound()
    assert {row.outcome for row in associations(crowd.door)} <= {"released", "aborted", "rejected"}


def test_damaged_conversations(crowd: Crowd) -> None:
    damage(crowd, CASES, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2, 3])
def test_thousands_of_damaged_conversations(crowd: Crowd, seed: int) -> None:
    damage(crowd, SOAK_CASES, seed)


CONTEXTS = {1: (RADIOGRAPH, [EXPLICIT_LITTLE]), 3: (VERIFICATION, [EXPLICIT_LITTLE])}
ASKED = associate_request(CONTEXTS)
COMMANDED = pdu(P_DATA, pdv(1, COMMAND | LAST, store_command("1.2.3")))
SENT = pdu(P_DATA, pdv(1, LAST, image("1.2.3")))
RELEASED = pdu(RELEASE_RQ, bytes(4))
BYTEWISE = b"".join(
    pdu(P_DATA, pdv(1, COMMAND, bytes([byte]))) for byte in store_command("1.2.3")[:-1]
) + pdu(P_DATA, pdv(1, COMMAND | LAST, store_command("1.2.3")[-1:]))

# What is said, and the types of all that is answered before the connection ends.
BREACHES: dict[str, tuple[bytes, list[int]]] = {
    "nothing": (b"", []),
    "one byte": (b"\x01", []),
    "not DICOM": (b"GET / HTTP/1.1\r\n\r\n", [ABORT]),
    "a data PDU instead of a request": (COMMANDED, [ABORT]),
    "a request of 4 GB": (pdu(ASSOCIATE_RQ, b"x" * 100, 0xFFFFFFFF), [ABORT]),
    "a request of 1 MB": (pdu(ASSOCIATE_RQ, bytes(1 << 20)), [ABORT]),
    "a request without transfer syntaxes": (associate_request({1: (RADIOGRAPH, [])}), [ABORT]),
    "a request without an abstract syntax": (
        associate_request({1: ("", [EXPLICIT_LITTLE])}),
        [ABORT],
    ),
    "a request for no role at all": (
        associate_request(
            CONTEXTS,
            more=item(0x54, struct.pack(">H", len(RADIOGRAPH)) + RADIOGRAPH.encode() + b"\0\0"),
        )
        + RELEASED,
        [ASSOCIATE_AC, RELEASE_RP],
    ),
    "a request with a name that is too long": (
        associate_request(CONTEXTS, more=item(0x55, b"X" * 17)) + RELEASED,
        [ASSOCIATE_AC, RELEASE_RP],
    ),
    "a request with titles that are padded with NUL": (
        ASKED[:10] + ASKED[10:42].replace(b" ", b"\0") + ASKED[42:] + RELEASED,
        [ASSOCIATE_AC, RELEASE_RP],
    ),
    "a request with items of another world": (
        associate_request(CONTEXTS, more=item(0x5F, b"x") + item(0xF0, b"yz")) + RELEASED,
        [ASSOCIATE_AC, RELEASE_RP],
    ),
    "a request twice": (ASKED * 2, [ASSOCIATE_AC, ABORT]),
    "an unknown PDU": (ASKED + pdu(0x42, b"x" * 10), [ASSOCIATE_AC, ABORT]),
    "an unknown PDU of 4 GB": (ASKED + pdu(0x42, b"", 0xFFFFFFFF), [ASSOCIATE_AC, ABORT]),
    "a data PDU of 4 GB": (ASKED + pdu(P_DATA, COMMANDED[6:], 0xFFFFFFFF), [ASSOCIATE_AC, ABORT]),
    "a command of 4 GB": (
        ASKED + pdu(P_DATA, pdv(1, COMMAND, b"", 0xFFFFFF00), 0xFFFFFFFF),
        [ASSOCIATE_AC, ABORT],
    ),
    "a data set of 4 GB, broken off": (
        ASKED + COMMANDED + pdu(P_DATA, pdv(1, 0, bytes(1000), 0xFFFFFF00), 0xFFFFFFFF),
        [ASSOCIATE_AC, ABORT],
    ),
    "a value of length 0": (ASKED + pdu(P_DATA, pdv(1, COMMAND, b"", 0)), [ASSOCIATE_AC, ABORT]),
    "a value of length 1": (ASKED + pdu(P_DATA, pdv(1, COMMAND, b"", 1)), [ASSOCIATE_AC, ABORT]),
    "a value longer than its PDU": (
        ASKED + pdu(P_DATA, pdv(1, COMMAND, b"", 9)),
        [ASSOCIATE_AC, ABORT],
    ),
    "half a header of a value": (ASKED + pdu(P_DATA, b"\0\0\0"), [ASSOCIATE_AC, ABORT]),
    "an empty command": (ASKED + pdu(P_DATA, pdv(1, COMMAND | LAST, b"")), [ASSOCIATE_AC, ABORT]),
    "a command of junk": (
        ASKED + pdu(P_DATA, pdv(1, COMMAND | LAST, b"\xff" * 50)),
        [ASSOCIATE_AC, ABORT],
    ),
    "a command that breaks off in its last element": (
        ASKED + pdu(P_DATA, pdv(1, COMMAND | LAST, store_command("1.2.3")[:-2])) + SENT,
        [ASSOCIATE_AC, ABORT],
    ),
    "a command without end": (
        ASKED + pdu(P_DATA, pdv(1, COMMAND, bytes(10_000))) * 3,
        [ASSOCIATE_AC, ABORT],
    ),
    "a data set without a command": (ASKED + SENT, [ASSOCIATE_AC, ABORT]),
    "two commands in a row": (ASKED + COMMANDED * 2, [ASSOCIATE_AC, ABORT]),
    "a data set in another context": (
        ASKED + COMMANDED + pdu(P_DATA, pdv(3, LAST, image("1.2.3"))),
        [ASSOCIATE_AC, ABORT],
    ),
    "a command in no context": (
        ASKED + pdu(P_DATA, pdv(99, COMMAND | LAST, store_command("1.2.3"))),
        [ASSOCIATE_AC, ABORT],
    ),
    "a command byte by byte": (
        ASKED + BYTEWISE + SENT + RELEASED,
        [ASSOCIATE_AC, P_DATA, RELEASE_RP],
    ),
    "empty values in between": (
        ASKED
        + pdu(P_DATA, b"")
        + pdu(P_DATA, pdv(1, COMMAND, b"") + pdv(1, COMMAND | LAST, store_command("1.2.3")))
        + pdu(P_DATA, pdv(1, 0, b"") * 100)
        + SENT
        + RELEASED,
        [ASSOCIATE_AC, P_DATA, RELEASE_RP],
    ),
    "a command and its data set in one PDU": (
        ASKED + pdu(P_DATA, COMMANDED[6:] + SENT[6:]) + RELEASED,
        [ASSOCIATE_AC, P_DATA, RELEASE_RP],
    ),
    "a release in the middle": (
        ASKED + COMMANDED + pdu(P_DATA, pdv(1, 0, image("1.2.3"))) + RELEASED,
        [ASSOCIATE_AC, RELEASE_RP],
    ),
    "an abort in the middle": (
        ASKED + COMMANDED + pdu(P_DATA, pdv(1, 0, image("1.2.3"))) + pdu(ABORT, bytes(4)),
        [ASSOCIATE_AC],
    ),
    "a response to nothing": (
        ASKED
        + pdu(
            P_DATA,
            pdv(
                1,
                COMMAND | LAST,
                command_set({0x100: STORE | 0x8000, 0x120: 7, 0x800: 0x0101, 0x900: 0}),
            ),
        )
        + RELEASED,
        [ASSOCIATE_AC, RELEASE_RP],
    ),
    "an image without a data set": (
        ASKED
        + pdu(
            P_DATA,
            pdv(
                1,
                COMMAND | LAST,
                command_set(
                    {2: RADIOGRAPH, 0x100: STORE, 0x110: 1, 0x800: 0x0101, 0x1000: "1.2.3"}
                ),
            ),
        )
        + RELEASED,
        [ASSOCIATE_AC, P_DATA, RELEASE_RP],
    ),
}


@pytest.fixture(scope="module")
def shared_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("breaches")
    door = Door(
        Settings(data_dir=folder / "data", dicom_port=free_port(), minimum_free_gigabytes=0)
    )
    yield door
    door.close()


@pytest.mark.parametrize("breach", BREACHES)
def test_each_breach_of_the_protocol_ends_its_own_association_alone(
    shared_door: Door, breach: str
) -> None:
    content, expected = BREACHES[breach]
    port = shared_door.settings.dicom_port
    with RawPeer(port) as other:
        other.associate(calling="OTHER")
        heard, seconds = say_and_hear_out(port, content)
        assert heard == expected
        assert seconds < 5
        assert other.echo() == 0x0000
        other.release()
    assert list(shared_door.archive.incoming.iterdir()) == []


def test_a_breach_is_on_record_with_its_reason(shared_door: Door) -> None:
    for breach in ("not DICOM", "a request without transfer syntaxes", "two commands in a row"):
        before = len(associations(shared_door))
        say_and_hear_out(shared_door.settings.dicom_port, BREACHES[breach][0])
        (row,) = associations(shared_door)[before:]
        assert row.outcome in ("rejected", "aborted")
        assert row.explanation


def nested(megabytes: int) -> bytes:
    """Return a data set of nested empty items, deflated: 400 KB for 256 MB."""
    sequence = (
        struct.pack("<HH2sxxI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF)
        + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_000
        + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    )
    compress = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = compress.compress(image("1.2.3")[:80])
    for _ in range(megabytes * (1 << 20) // len(sequence)):
        content += compress.compress(sequence)
    return content + compress.flush()


def test_a_deflated_bomb_costs_neither_time_nor_memory(crowd: Crowd) -> None:
    with crowd.honest_sender(), RawPeer(crowd.door.settings.dicom_port) as peer:
        peer.associate(RADIOGRAPH, DeflatedExplicitVRLittleEndian)
        started = time.monotonic()
        answer = peer.store("1.2.3", nested(256))
        assert answer.status == 0xC000
        assert answer.comment
        assert time.monotonic() - started < 5
        peer.release()
    assert crowd.slowest < 2
