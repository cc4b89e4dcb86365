"""Where results go: a file of destinations, checked as a whole before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from pacs.hl7 import Hl7Place
from pacs.host import Host
from pacs.mail import MailPlace
from pacs.notifier import NoticePlace
from pacs.peer import Peer
from pacs.results.identity import Kind, sop_class
from pacs.tables import read_tables
from pacs.tls import TlsChoice
from pacs.told import TOLD, ToldVerdicts
from pacs.webhook import WebhookPlace
from screening.errors import SendError, SettingsError
from screening.web_address import require_safe

_ALL = tuple(Kind)


class Destination(TlsChoice):
    """A DICOM application that results are sent to.

    Attributes
    ----------
    name
        For people, and for `nightread deliveries`; it must not change.
    ae_title, host, port
        Of the application, where it is reached by DIMSE.
    stow_url, stow_token
        Of its DICOMweb service, where it is reached by STOW-RS: its address, as
        ``https://pacs/dicom-web``, and what is sent as ``Authorization: Bearer``.
    calling_ae_title
        Ours towards it; empty for `NIGHTREAD_AE_TITLE`.
    objects
        Which objects it gets.
    verdicts
        Of which studies.
    senders
        Calling AE titles of whose studies it gets results; empty for all. With its own title among
        them results return to their sender.
    planar_report
        Whether its reports are Comprehensive SR, for systems that take no Comprehensive 3D SR.
    commitment
        Whether it is asked to say that it keeps what it took.
    give_up_days
        After so long without success a delivery is given up, and listed.
    tls, tls_authorities, tls_certificate, tls_key
        As `pacs.tls.TlsChoice` has them.
    """

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    ae_title: str = ""
    host: Host = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    stow_url: str = ""
    stow_token: Annotated[str, Field(repr=False)] = ""
    calling_ae_title: str = ""
    objects: Annotated[tuple[Kind, ...], Field(min_length=1)] = _ALL
    verdicts: ToldVerdicts = TOLD
    senders: tuple[Annotated[str, Field(min_length=1, max_length=16)], ...] = ()
    planar_report: bool = False
    commitment: bool = False
    give_up_days: Annotated[float, Field(gt=0, le=365)] = 7.0

    @field_validator("stow_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        return require_safe(value).rstrip("/") if value else value

    @model_validator(mode="after")
    def _is_somewhere(self) -> Destination:
        if self.stow_url and (self.ae_title or self.host or self.port or self.commitment):
            raise ValueError("with stow_url there is no ae_title, host, port and commitment")
        if not self.stow_url and not (self.ae_title and self.host and self.port):
            raise ValueError("ae_title, host and port are needed, or stow_url")
        return self

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        """Say whether it gets the results of a study."""
        from_sender = not self.senders or (calling_ae_title or "").strip() in self.senders
        return from_sender and verdict in self.verdicts

    @property
    def sop_classes(self) -> list[str]:
        """Of the objects that it gets, each once."""
        found = (str(sop_class(kind, planar=self.planar_report)) for kind in self.objects)
        return list(dict.fromkeys(found))

    def peer(self, own_ae_title: str) -> Peer:
        """Return whom to call.

        Raises
        ------
        SendError
            If a title can be nobody's, or a certificate cannot be read.
        """
        calling = self.calling_ae_title or own_ae_title
        return Peer(self.host, self.port, self.ae_title, calling, self.tls_context(self.name))


class Destinations(BaseModel):
    """Everybody who is told: applications, programs and people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    destination: tuple[Destination, ...] = ()
    webhook: tuple[WebhookPlace, ...] = ()
    mail: tuple[MailPlace, ...] = ()
    hl7: tuple[Hl7Place, ...] = ()

    @property
    def places(self) -> tuple[Destination | NoticePlace, ...]:
        """All of them."""
        return (*self.destination, *self.webhook, *self.mail, *self.hl7)

    @property
    def names(self) -> list[str]:
        """Of all of them."""
        return [each.name for each in self.places]


def read_destinations(file: Path, own_ae_title: str) -> Destinations:
    """Read a file of destinations, webhooks, mails and HL7 systems: TOML, a table for each.

    Raises
    ------
    SettingsError
        If it cannot be read, or a destination cannot be meant; the message says which and why.
    """
    setting = "NIGHTREAD_DESTINATIONS_FILE"
    found = read_tables(file, setting, Destinations)
    if not found.places:
        raise SettingsError(f"{setting}={file} names nobody: docs/results.md has examples")
    try:
        for destination in (each for each in found.destination if not each.stow_url):
            destination.peer(own_ae_title)
        for system in found.hl7:
            system.tls_context()
    except SendError as error:
        raise SettingsError(f"{setting}={file}: {error}") from None
    if len(set(found.names)) < len(found.names):
        raise SettingsError(f"{setting}={file}: each destination needs a name of its own")
    return found
