"""A mail server that a test owns: what it takes, and how it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from conftest import free_port


class Mailbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.came: list[Message] = []
        self.refuses = False
        self.unknown = ""
        self.port = free_port()

    async def handle_RCPT(  # noqa: N802
        self,
        server: Any,  # noqa: ANN401
        session: Any,  # noqa: ANN401
        envelope: Any,  # noqa: ANN401
        address: str,
        options: Any,  # noqa: ANN401
    ) -> str:
        if address == self.unknown:
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802
        return "421 not even goodbye"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802
        if self.refuses:
            return "451 not now"
        self.came.append(message_from_bytes(envelope.content))
        return "250 taken"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server on loopback."""
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=box.port)
    server.start()
    try:
        yield box
    finally:
        server.stop()
