"""Who may come in, and in plain words why somebody may not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

from dicom_listener.negotiation import APPLICATION_CONTEXT, Request
from screening.settings import Settings


class Answer(Enum):
    """Result, source and reason of an A-ASSOCIATE-RJ, PS3.8 Table 9-21."""

    NOT_FROM_HERE = (1, 1, 1)
    OTHER_APPLICATION = (1, 1, 2)
    CALLING_UNKNOWN = (1, 1, 3)
    CALLED_UNKNOWN = (1, 1, 7)
    OTHER_VERSION = (1, 2, 2)
    LIMIT_EXCEEDED = (2, 3, 2)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request is rejected, and the setting that would admit it."""

    answer: Answer
    why: str


class Access:
    """The rules, and how many are in.

    Parameters
    ----------
    settings
        Titles, networks and limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def admit(self, request: Request, address: str) -> Iterator[Rejection | None]:
        """Judge a request; while the context lasts, an admitted one counts as open.

        Parameters
        ----------
        request
            For an association.
        address
            Of the peer.
        """
        rejection = self._judge(request, address) or self._enter(request.calling_ae_title)
        try:
            yield rejection
        finally:
            if rejection is None:
                with self._lock:
                    self._leave(request.calling_ae_title)

    def may_store(self, calling_ae_title: str) -> bool:
        """Say whether an admitted caller may send images, or only echo."""
        allowed = self._settings.storing_ae_titles
        return not allowed or calling_ae_title in allowed

    def _judge(self, request: Request, address: str) -> Rejection | None:
        settings = self._settings
        calling, called = request.calling_ae_title, request.called_ae_title
        networks = settings.allowed_networks
        if networks and not any(ip_address(address) in network for network in networks):
            admitted = ",".join((*map(str, networks), address))
            return Rejection(
                Answer.NOT_FROM_HERE,
                f"{address} is in none of NIGHTREAD_ALLOWED_NETWORKS: to admit it, set "
                f"NIGHTREAD_ALLOWED_NETWORKS={admitted}",
            )
        if not request.protocol_versions & 1:
            return Rejection(
                Answer.OTHER_VERSION,
                "it does not speak version 1 of the protocol, PS3.8 9.3.2: the sender's software "
                "is at fault",
            )
        if request.application_context != APPLICATION_CONTEXT:
            return Rejection(
                Answer.OTHER_APPLICATION,
                f"its application context is {request.application_context}, and DICOM's is "
                f"{APPLICATION_CONTEXT}: the sender's software is at fault",
            )
        if called != settings.ae_title:
            return Rejection(
                Answer.CALLED_UNKNOWN,
                f"it called {called!r} and this is {settings.ae_title!r}: change the sender's "
                f"entry for us, or set NIGHTREAD_AE_TITLE={called}",
            )
        if settings.calling_ae_titles and calling not in settings.calling_ae_titles:
            admitted = ",".join((*settings.calling_ae_titles, calling))
            return Rejection(
                Answer.CALLING_UNKNOWN,
                f"{calling!r} is not among NIGHTREAD_CALLING_AE_TITLES: to admit it, set "
                f"NIGHTREAD_CALLING_AE_TITLES={admitted}",
            )
        return None

    def _enter(self, calling: str) -> Rejection | None:
        """Count one more, or say which limit it would break; transient, never hung."""
        limit = self._settings.maximum_associations
        each = self._settings.maximum_associations_per_title
        with self._lock:
            if self._open.total() >= limit:
                return Rejection(
                    Answer.LIMIT_EXCEEDED,
                    f"{limit} associations were open already: the sender may try again, or raise "
                    "NIGHTREAD_MAXIMUM_ASSOCIATIONS",
                )
            if each and self._open[calling] >= each:
                return Rejection(
                    Answer.LIMIT_EXCEEDED,
                    f"{calling!r} had {each} associations open already: it may try again, or raise "
                    "NIGHTREAD_MAXIMUM_ASSOCIATIONS_PER_TITLE",
                )
            self._open[calling] += 1
        return None

    def _leave(self, calling: str) -> None:
        self._open[calling] -= 1
        if not self._open[calling]:
            del self._open[calling]  # a stranger may make up a title for each of its calls
