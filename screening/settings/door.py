"""Who may send images, how, and how many at once."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from screening.settings.values import CONFIG, AETitle, AETitles, Networks, OptionalPath
from screening.web_address import is_loopback


class DoorSettings(BaseSettings):
    """The door: AE titles, ports, TLS, limits."""

    model_config = CONFIG

    ae_title: AETitle = "NIGHTREAD"
    """Our AE title: what a PACS must call."""

    dicom_host: str = "127.0.0.1"
    """Address to listen on. Loopback by default: being reachable is a decision."""

    dicom_port: int = Field(default=11112, ge=0, le=65535)
    """TCP port to listen on. 11112 is registered for DICOM and needs no privilege. 0: none, where
    all senders use TLS."""

    tls_port: int = Field(default=0, ge=0, le=65535)
    """TCP port for DICOM over TLS 1.2 or newer; 2762 is registered for it. 0: none."""

    tls_certificate: OptionalPath = None
    """Our certificate and those that lead to its authority, as PEM. Needed with a TLS port."""

    tls_key: OptionalPath = None
    """The certificate's key, as unencrypted PEM, readable by us alone."""

    tls_authorities: OptionalPath = None
    """Certificates, as PEM, of those who sign the senders': then each sender must show one. Empty:
    the connection is encrypted, and anybody may open it."""

    calling_ae_titles: AETitles = ()
    """AE titles that may call, separated by commas. Empty: any, which suits loopback."""

    storing_ae_titles: AETitles = ()
    """AE titles that may send images. Others that may call may echo alone, as a monitor does; their
    images are refused with 0x0124. Empty: all that may call."""

    allowed_networks: Networks = ()
    """Addresses or networks that may call, as ``10.1.0.0/16``, separated by commas. Empty: any."""

    open_to_all: bool = False
    """Whether to listen beyond this machine without a list of titles or networks, and without
    certificates of the senders. Whoever reaches the port could then fill the disk."""

    maximum_associations: int = Field(default=32, ge=1, le=1000)
    """Associations open at once; a further one is refused as a passing state, never hung."""

    maximum_associations_per_title: int = Field(default=0, ge=0, le=1000)
    """The same for each calling AE title, so that one cannot take all places. 0: no limit."""

    listener_processes: int = Field(default=1, ge=1, le=64)
    """Processes that share the port. One fills about one core; each has the limits above for
    itself."""

    commitment_peers: Annotated[dict[AETitle, tuple[str, int]], NoDecode] = Field(
        default_factory=dict
    )
    """Where senders are called back with the result of storage commitment, as
    ``PACS=10.1.2.3:104``, separated by commas. Others are told on their own association."""

    idle_seconds: float = Field(default=120.0, ge=1, le=86400)
    """How long an association may be silent between two images before it is aborted."""

    drain_seconds: float = Field(default=10.0, ge=0, le=3600)
    """How long open associations may go on when the listener is asked to stop."""

    @field_validator("commitment_peers", mode="before")
    @classmethod
    def _split_peers(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        if not isinstance(value, str):
            return value
        found = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            title, _, address = part.partition("=")
            host, _, port = address.rpartition(":")
            if not (title and host and port.isdigit() and 0 < int(port) < 65536):
                raise ValueError(f"{part} is not of the form PACS=10.1.2.3:104")
            found[title] = (host.strip("[]"), int(port))
        return found

    @model_validator(mode="after")
    def _door_is_safe(self) -> Self:
        if not self.dicom_port and not self.tls_port:
            raise ValueError(
                "NIGHTREAD_DICOM_PORT=0 and NIGHTREAD_TLS_PORT=0: there is no port left, set one"
            )
        if self.dicom_port == self.tls_port:
            raise ValueError(
                f"NIGHTREAD_DICOM_PORT and NIGHTREAD_TLS_PORT are both {self.tls_port}"
            )
        if self.tls_port and not (self.tls_certificate and self.tls_key):
            raise ValueError(
                f"NIGHTREAD_TLS_PORT={self.tls_port} needs NIGHTREAD_TLS_CERTIFICATE and "
                "NIGHTREAD_TLS_KEY"
            )
        if self.calling_ae_titles and self.storing_ae_titles:
            strangers = set(self.storing_ae_titles) - set(self.calling_ae_titles)
            if strangers:
                raise ValueError(
                    f"NIGHTREAD_STORING_AE_TITLES names {', '.join(sorted(strangers))}, which "
                    "NIGHTREAD_CALLING_AE_TITLES does not let in"
                )
        listed = self.calling_ae_titles or self.allowed_networks
        certified = not self.dicom_port and self.tls_authorities
        if not (is_loopback(self.dicom_host) or listed or certified or self.open_to_all):
            raise ValueError(
                f"NIGHTREAD_DICOM_HOST={self.dicom_host} is reachable from other machines, and "
                "anybody may call: set NIGHTREAD_CALLING_AE_TITLES or NIGHTREAD_ALLOWED_NETWORKS, "
                "or TLS alone with NIGHTREAD_TLS_AUTHORITIES; or NIGHTREAD_OPEN_TO_ALL=true if "
                "that is what you want"
            )
        return self
