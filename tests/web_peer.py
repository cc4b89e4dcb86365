"""A DICOMweb server that a test owns: what it is asked, and how it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, str, bytes]
JSON = "application/dicom+json"


@dataclass
class WebPeer:
    """A server, and what it was asked."""

    answer: Callable[[str, dict[str, str]], Answer]
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    came: list[bytes] = field(default_factory=list)


def always(status: int, body: bytes) -> Callable[..., Answer]:
    """Return what answers everything alike."""
    return lambda *_: (status, JSON, body)


@contextmanager
def web_peer(
    answer: Callable[[str, dict[str, str]], Answer], elsewhere: str = "http://127.0.0.1:9/"
) -> Iterator[WebPeer]:
    """Run a server that answers a path and its query with a status, a type and a body.

    It says ``elsewhere`` in each answer as where to go instead.
    """
    peer = WebPeer(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            peer.came.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.do_GET()

        def do_GET(self) -> None:
            where = urlsplit(self.path)
            query = dict(parse_qsl(where.query))
            peer.asked.append(query)
            status, kind, body = peer.answer(where.path, query)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", elsewhere)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        peer.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield peer
        finally:
            server.shutdown()
