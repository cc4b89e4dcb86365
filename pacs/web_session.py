"""HTTP towards a DICOMweb server: it goes nowhere but where it was sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import requests

from screening.errors import DeliveryError

_LOOK_SECONDS = 0.5


class WebSession(requests.Session):
    """Follows no redirect, and takes answers of a bounded size.

    Parameters
    ----------
    most_bytes
        Of an answer; 0 where whoever asked reads it piece by piece.
    most_streamed
        Of one that is read piece by piece; 0 for any number.
    """

    def __init__(self, most_bytes: int = 0, most_streamed: int = 0) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._most_streamed = most_streamed
        self._answer: requests.Response | None = None

    @property
    def has_answered(self) -> bool:
        """Whether the answer to the newest request has begun."""
        return self._answer is not None

    @contextmanager
    def ending(self, cut: threading.Event, longest_seconds: float) -> Iterator[None]:
        """End what is asked in the block when ``cut`` is set, or after so long."""
        over = threading.Event()

        def watch() -> None:
            deadline = time.monotonic() + longest_seconds
            while not over.wait(_LOOK_SECONDS):
                if cut.is_set() or time.monotonic() > deadline:
                    # Again and again: another answer may have begun since.
                    self._break_off()

        watching = threading.Thread(target=watch, name="web watch", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def _break_off(self) -> None:
        """Close the connection under whoever reads from it: closing the answer would wait."""
        connection = getattr(self._answer and self._answer.raw, "connection", None)
        line = getattr(connection, "sock", None)
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def send(
        self,
        request: requests.PreparedRequest,
        **choices: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Send a request, once.

        Raises
        ------
        DeliveryError
            If the server is elsewhere, or its answer does not end.
        """
        self._answer = None
        answer = super().send(request, **{**choices, "stream": True, "allow_redirects": False})
        if 300 <= answer.status_code < 400:
            answer.close()
            raise DeliveryError(
                f"the DICOMweb server answers {answer.status_code}: it is elsewhere, and its "
                "address in the file must say where"
            )
        self._answer = answer
        if self._most_streamed:
            answer.iter_content = partial(self._pieces, answer.iter_content)  # type: ignore[method-assign]
        if self._most_bytes:
            answer._content = self._whole(answer)
        return answer

    def _pieces(
        self,
        pieces: Callable[..., Iterator[bytes]],
        *arguments: Any,  # noqa: ANN401
        **choices: Any,  # noqa: ANN401
    ) -> Iterator[bytes]:
        count = 0
        for piece in pieces(*arguments, **choices):
            count += len(piece)
            if count > self._most_streamed:
                raise DeliveryError("the DICOMweb server sends more than such a series can be")
            yield piece

    def _whole(self, answer: requests.Response) -> bytes:
        content = bytearray()
        for piece in answer.iter_content(65_536):
            content += piece
            if len(content) > self._most_bytes:
                answer.close()
                raise DeliveryError("the DICOMweb server's answer does not end")
        return bytes(content)
