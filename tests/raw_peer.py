"""A sender that says exactly what a test wants said, bytes and all: PS3.8 9.3, PS3.7 6.3.

Nothing here is shared with the listener, so that the two cannot be wrong together.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from pydicom.uid import DigitalXRayImageStorageForPresentation

VERIFICATION = "1.2.840.10008.1.1"
RADIOGRAPH = str(DigitalXRayImageStorageForPresentation)
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x04, 0x05, 0x06, 0x07
COMMAND, LAST = 0x01, 0x02

STORE, ECHO = 0x0001, 0x0030


@dataclass(frozen=True)
class Answer:
    """The response to a command."""

    status: int
    comment: str
    message_id: int


def pdu(kind: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BxI", kind, len(content) if length is None else length) + content


def pdv(context_id: int, control: int, content: bytes, length: int | None = None) -> bytes:
    length = len(content) + 2 if length is None else length
    return struct.pack(">IBB", length, context_id, control) + content


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def associate_request(
    contexts: Mapping[int, tuple[str, list[str]]],
    *,
    calling: str = "PACS",
    called: str = "NIGHTREAD",
    application_context: str = "1.2.840.10008.3.1.1.1",
    longest_pdu: int = 16384,
    more: bytes = b"",
) -> bytes:
    """Return an A-ASSOCIATE-RQ, PS3.8 9.3.2."""
    items = item(0x10, application_context.encode())
    for number, (sop_class, syntaxes) in contexts.items():
        offered = item(0x30, sop_class.encode())
        offered += b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
        items += item(0x20, struct.pack(">Bxxx", number) + offered)
    user = item(0x51, struct.pack(">I", longest_pdu)) + item(0x52, b"1.2.3.4") + more
    head = struct.pack(">Hxx16s16s32x", 1, called.encode().ljust(16), calling.encode().ljust(16))
    return pdu(ASSOCIATE_RQ, head + items + item(0x50, user))


def command_set(elements: Mapping[int, int | str | bytes]) -> bytes:
    """Return a command: numbers as US, text as UI, bytes as they are."""
    body = b""
    for element, value in sorted(elements.items()):
        if isinstance(value, int):
            value = struct.pack("<H", value)
        elif isinstance(value, str):
            value = value.encode() + b"\0" * (len(value) % 2)
        body += struct.pack("<HHI", 0, element, len(value)) + value
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def store_command(uid: str, sop_class: str = RADIOGRAPH, message_id: int = 1) -> bytes:
    return command_set(
        {0x0002: sop_class, 0x0100: STORE, 0x0110: message_id, 0x0700: 0, 0x0800: 1, 0x1000: uid}
    )


def read_command_set(content: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at < len(content):
        _, element, length = struct.unpack_from("<HHI", content, at)
        found[element] = content[at + 8 : at + 8 + length]
        at += 8 + length
    return found


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Return a data element in explicit little endian; a value is made even with NUL."""
    value += b"\0" * (len(value) % 2)
    long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT")
    form = "<HH2sxxI" if long else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def image(uid: str, study: str = "1.2", *, side: int = 16, more: bytes = b"") -> bytes:
    """Return the data set of a small radiograph in explicit little endian."""
    return (
        element(0x00080016, b"UI", RADIOGRAPH.encode())
        + element(0x00080018, b"UI", uid.encode())
        + element(0x00080060, b"CS", b"DX")
        + element(0x00100010, b"PN", b"PHANTOM^RAW")
        + element(0x00100020, b"LO", b"PHANTOM")
        + element(0x0020000D, b"UI", study.encode())
        + element(0x0020000E, b"UI", study.encode() + b".1")
        + more
        + element(0x00280010, b"US", struct.pack("<H", side))
        + element(0x00280011, b"US", struct.pack("<H", side))
        + element(0x7FE00010, b"OW", bytes(2 * side * side))
    )


class RawPeer:
    """One connection, and what is said over it.

    A connection that the listener ends is an ``OSError`` or ``EOFError`` for whoever speaks next.
    """

    def __init__(
        self,
        port: int,
        *,
        seconds: float = 20.0,
        host: str = "127.0.0.1",
        connection: socket.socket | None = None,
    ) -> None:
        self.socket = connection or socket.create_connection((host, port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(seconds)
        self._message_id = 0

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def say(self, content: bytes) -> None:
        self.socket.sendall(content)

    def hear(self) -> tuple[int, bytes]:
        """Return the next PDU, its type and what follows its header."""
        kind, length = struct.unpack(">BxI", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            piece = self.socket.recv(count - len(content))
            if not piece:
                raise EOFError("the listener closed the connection")
            content += piece
        return content

    def hear_the_end(self) -> list[int]:
        """Return the types of all PDUs that still come before the connection ends."""
        kinds = []
        try:
            while True:
                kinds.append(self.hear()[0])
        except (EOFError, ConnectionResetError, BrokenPipeError):
            return kinds

    def associate(
        self,
        sop_class: str = RADIOGRAPH,
        syntax: str = EXPLICIT_LITTLE,
        *,
        calling: str = "PACS",
        called: str = "NIGHTREAD",
    ) -> RawPeer:
        """Open an association for a storage class as context 1 and Verification as 3."""
        contexts = {1: (sop_class, [syntax]), 3: (VERIFICATION, [EXPLICIT_LITTLE])}
        self.say(associate_request(contexts, calling=calling, called=called))
        kind, content = self.hear()
        if kind != ASSOCIATE_AC:
            raise ConnectionRefusedError(f"PDU {kind:#04x} {content.hex()}")
        return self

    def store(self, uid: str, data_set: bytes, sop_class: str = RADIOGRAPH) -> Answer:
        """Send one image and wait for the answer."""
        self._message_id = self._message_id % 0xFFFF + 1
        self.say(
            pdu(P_DATA, pdv(1, COMMAND | LAST, store_command(uid, sop_class, self._message_id)))
            + pdu(P_DATA, pdv(1, LAST, data_set))
        )
        answer = self.answer()
        assert answer.message_id == self._message_id
        return answer

    def command(self, elements: Mapping[int, int | str | bytes], context_id: int = 1) -> None:
        self.say(pdu(P_DATA, pdv(context_id, COMMAND | LAST, command_set(elements))))

    def answer(self) -> Answer:
        """Wait for a response."""
        kind, content = self.hear()
        if kind != P_DATA:
            raise ConnectionAbortedError(f"PDU {kind:#04x} {content.hex()}")
        elements = read_command_set(content[6:])
        return Answer(
            int.from_bytes(elements[0x0900], "little"),
            elements.get(0x0902, b"").decode().rstrip(" "),
            int.from_bytes(elements[0x0120], "little"),
        )

    def echo(self) -> int:
        self.command({0x0002: VERIFICATION, 0x0100: ECHO, 0x0110: 1, 0x0800: 0x0101}, 3)
        return self.answer().status

    def release(self) -> None:
        self.say(pdu(RELEASE_RQ, bytes(4)))
        kind, _ = self.hear()
        assert kind == RELEASE_RP

    def reset(self) -> None:
        """End the connection with an RST, as a cable that is plugged into another machine."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
