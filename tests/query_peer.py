"""A small Query/Retrieve SCP that a test owns: what it has, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from conftest import free_port
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from pacs.peer import Peer

Found = Callable[[Dataset], Iterator[tuple[int, Dataset | None]]]
Moved = Callable[[Event], Iterator[object]]


@dataclass
class QueryPeer:
    """What it was asked, in order."""

    port: int
    asked: list[Dataset] = field(default_factory=list)

    @property
    def peer(self) -> Peer:
        return Peer("127.0.0.1", self.port, "ARCHIVE", "TESTER")


@contextmanager
def query_peer(find: Found, move: Moved | None = None) -> Iterator[QueryPeer]:
    """Run an SCP that answers a C-FIND with ``find`` and a C-MOVE with ``move``."""
    ae = AE("ARCHIVE")
    for model in (
        Verification,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelMove,
    ):
        ae.add_supported_context(model)
    opened = QueryPeer(free_port())

    def found(event: Event) -> Iterator[tuple[int, Dataset | None]]:
        opened.asked.append(event.identifier)
        yield from find(event.identifier)

    def moved(event: Event) -> Iterator[object]:
        opened.asked.append(event.identifier)
        assert move is not None
        yield from move(event)

    lines = []
    ae.start_server(
        ("127.0.0.1", opened.port),
        block=False,
        evt_handlers=[
            (evt.EVT_CONN_OPEN, lambda event: lines.append(event.assoc.dul.socket.socket)),
            (evt.EVT_C_FIND, found),
            (evt.EVT_C_MOVE, moved),
        ],
    )
    try:
        yield opened
    finally:
        ae.shutdown()
        for line in lines:
            line.close()


def said(**values: object) -> Dataset:
    """Return an identifier with some attributes."""
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made
