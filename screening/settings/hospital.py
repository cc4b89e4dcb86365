"""What is exchanged with the hospital beside the images that it sends."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from screening.settings.door import DoorSettings
from screening.settings.values import Networks, OptionalPath, Words
from screening.web_address import is_loopback, require_port


class HospitalSettings(DoorSettings):
    """Sources, destinations, the feed of patients, the audit repository."""

    sources_file: OptionalPath = None
    """File of PACS that images are fetched from, and of what is fetched night after night
    (docs/night.md). Empty: nothing is fetched."""

    destinations_file: OptionalPath = None
    """TOML file of the destinations that results are sent to, as docs/results.md describes it.
    Empty: nothing is sent."""

    delivery_quiet_seconds: float = Field(default=10.0, ge=0, le=3600)
    """For how long nothing new may have come of a study before its results are sent."""

    adt_port: int = Field(default=0, ge=0, le=65535)
    """TCP port for the hospital's HL7 feed of patients (docs/patients.md). 0: none."""

    adt_host: str = "127.0.0.1"
    """Address of that port. Loopback by default: who reaches it can make two patients one."""

    adt_networks: Networks = ()
    """Addresses or networks that the feed may come from, separated by commas. Empty: any."""

    adt_applications: Words = ()
    """Sending applications (MSH-3) whose messages are taken, separated by commas. Empty: all."""

    adt_authority: str = ""
    """Assigning authority, as PID-3.4 has it, of the identifiers that images carry without an
    issuer. Needed with the port: the same number of another authority is another patient."""

    adt_tls: bool = False
    """Whether the feed speaks TLS, with the certificate, key and authorities of the door."""

    audit_syslog: str = ""
    """Audit repository of the hospital that audit messages are sent to over TLS (docs/security.md),
    as ``audit.hospital:6514``; 6514 where no port is named. Empty: none is sent."""

    audit_syslog_authorities: OptionalPath = None
    """Certificates, as PEM, of those who sign the repository's. Empty: those of the system."""

    audit_syslog_certificate: OptionalPath = None
    """Our certificate, as PEM, where the repository asks for one."""

    audit_syslog_key: OptionalPath = None
    """The certificate's key, as unencrypted PEM, readable by us alone."""

    @model_validator(mode="after")
    def _feed_is_safe(self) -> Self:
        if not self.adt_port:
            return self
        if not self.adt_authority:
            raise ValueError(
                "NIGHTREAD_ADT_PORT needs NIGHTREAD_ADT_AUTHORITY: whose numbers the images have"
            )
        if self.adt_tls and not (self.tls_certificate and self.tls_key):
            raise ValueError(
                "NIGHTREAD_ADT_TLS needs NIGHTREAD_TLS_CERTIFICATE and NIGHTREAD_TLS_KEY"
            )
        certified = self.adt_tls and self.tls_authorities
        if not (is_loopback(self.adt_host) or self.adt_networks or certified):
            raise ValueError(
                f"NIGHTREAD_ADT_HOST={self.adt_host} is reachable from other machines, and anybody "
                "could merge patients: set NIGHTREAD_ADT_NETWORKS, or NIGHTREAD_ADT_TLS with "
                "NIGHTREAD_TLS_AUTHORITIES"
            )
        return self

    @field_validator("audit_syslog")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        if value:
            parts = urlsplit(f"//{value}")
            require_port(f"//{value}")
            if not parts.hostname or parts.netloc != value or "@" in value:
                raise ValueError("host or host:port is needed, as audit.hospital:6514")
        return value

    @model_validator(mode="after")
    def _repository_is_shown_a_pair(self) -> Self:
        if (self.audit_syslog_certificate is None) != (self.audit_syslog_key is None):
            raise ValueError(
                "NIGHTREAD_AUDIT_SYSLOG_CERTIFICATE and NIGHTREAD_AUDIT_SYSLOG_KEY go together: "
                "set both or neither"
            )
        return self
