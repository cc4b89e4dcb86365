"""A small Storage SCP that a test owns: what it takes, and how it answers."""

from __future__ import annotations

import gc
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from conftest import free_port
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs.peer import Peer


@dataclass
class Receiver:
    """What came in, in order: SOP Instance UID, transfer syntax and the encoded data set."""

    port: int
    came: list[tuple[str, str, bytes]] = field(default_factory=list)
    associations: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def peer(self, called: str = "ARCHIVE", calling: str = "TESTER") -> Peer:
        return Peer("127.0.0.1", self.port, called, calling)


Answer = Callable[[Event], "int | Dataset"]


@contextmanager
def receiver(
    contexts: dict[str, list[str]],
    answer: Answer = lambda event: 0x0000,
    action: Callable[[Event], tuple[int, None]] = lambda event: (0x0000, None),
    tls: ssl.SSLContext | None = None,
    **choices: object,
) -> Iterator[Receiver]:
    """Run an SCP for the given SOP Classes, each in the given transfer syntaxes.

    It answers a C-STORE with ``answer`` and an N-ACTION with ``action``.
    """
    ae = AE("ARCHIVE")
    ae.supported_contexts = [build_context(Verification)] + [
        build_context(sop_class, syntaxes) for sop_class, syntaxes in contexts.items()
    ]
    for name, value in choices.items():
        setattr(ae, name, value)
    opened = Receiver(free_port())

    def accepted(event: Event) -> None:
        opened.associations += 1

    def store(event: Event) -> int | Dataset:
        request = event.request
        with opened.lock:
            opened.came.append(
                (
                    str(request.AffectedSOPInstanceUID),
                    str(event.context.transfer_syntax),
                    request.DataSet.getvalue(),
                )
            )
        return answer(event)

    lines = []
    ae.start_server(
        ("127.0.0.1", opened.port),
        block=False,
        ssl_context=tls,
        evt_handlers=[
            (evt.EVT_CONN_OPEN, lambda event: lines.append(event.assoc.dul.socket.socket)),
            (evt.EVT_ACCEPTED, accepted),
            (evt.EVT_C_STORE, store),
            (evt.EVT_C_ECHO, lambda event: 0x0000),
            (evt.EVT_N_ACTION, action),
        ],
    )
    try:
        yield opened
    finally:
        ae.shutdown()
        # pynetdicom leaves a connection open where the peer has cut it.
        for line in lines:
            line.close()


@contextmanager
def dropped_sockets() -> Iterator[None]:
    """Allow for pynetdicom, which does not close the socket of a connection that was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()
