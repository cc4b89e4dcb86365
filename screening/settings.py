"""Every setting, once: its unit, its default and the reason for it.

Settings come from the environment, from an optional file of ``NAME=value`` lines, which
``NIGHTREAD_SETTINGS_FILE`` names (default ``nightread.env`` in the working folder), and from files
that hold one each, in ``NIGHTREAD_SECRETS_DIR``; the first of these wins. They are built by a
process at its entry point and handed down: nothing reads them at import.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from screening.domain.lane import LaneRule
from screening.domain.precision import Precision
from screening.domain.s3_address import S3Address
from screening.web_address import is_loopback, require_port, require_safe, with_password

PREFIX = "NIGHTREAD_"

# A unix socket's path holds at most 107 bytes on Linux (sockaddr_un, unix(7)).
_SOCKET_PATH_LIMIT = 107


def _ae_title(value: str) -> str:
    """Check an AE title against the value representation AE, PS3.5 6.2."""
    title = value.strip(" ")
    if not 1 <= len(title) <= 16:
        raise ValueError("an AE title has 1 to 16 characters besides leading and trailing spaces")
    if any(not " " <= character <= "~" or character == "\\" for character in title):
        raise ValueError("an AE title is of printable ASCII without backslash")
    return title


AETitle = Annotated[str, AfterValidator(_ae_title)]


def _require_place(of: str, url: str, kinds: tuple[str, ...]) -> None:
    """Check that a server's address has room for the password that is set for it."""
    password, place = f"{PREFIX}{of}_PASSWORD", f"{PREFIX}{of}_URL"
    if not url.startswith(kinds):
        raise ValueError(f"{password} is set, and {place} names no server that it is for")
    if urlsplit(url).password:
        raise ValueError(f"{password} is set, and {place} holds a password too: take one out")


Network = IPv4Network | IPv6Network


class Settings(BaseSettings):
    """What the operator may choose. Frozen: a process lives with the settings it started with."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Field(default=Path("nightread-data"))
    """Folder of the archive, the embedded database and the embedded Redis. Made where missing,
    readable by its owner alone. The default stands in the working folder so that a first try
    touches nothing else."""

    database_url: str = ""
    """SQLAlchemy URL. Empty: SQLite in the data folder, enough for one machine;
    ``postgresql://user@host/database`` where several machines share the work."""

    database_password: SecretStr = SecretStr("")
    """Password of the user in ``NIGHTREAD_DATABASE_URL``, where that holds none. Better in a file
    (``NIGHTREAD_SECRETS_DIR``) than in a variable."""

    archive_url: str = ""
    """Where the images are kept. Empty: a folder in the data folder. ``file:///mnt/archive``, a
    share that several hosts mount; or ``s3://bucket/prefix``, as docs/archive.md describes them."""

    archive_endpoint: str = ""
    """Address of a store that speaks S3 and is not AWS's, as ``https://s3.hospital:9000``."""

    archive_region: str = ""
    """Region of the bucket. Empty: what AWS's own variables and files say."""

    archive_credentials_file: Path | None = None
    """File with ``aws_access_key_id`` and ``aws_secret_access_key`` below ``[default]``. Empty:
    AWS's own variables, files and roles."""

    archive_seconds: float = Field(default=30.0, ge=1, le=600)
    """How long one request to S3 may take in all, an image's bytes included. A sender waits as
    long for its answer."""

    archive_cache_gigabytes: float = Field(default=10.0, ge=0, le=100000)
    """Room for copies of what was read from S3, on each host, in 10^9 bytes: a night's images of
    ten megabytes are read once by the worker and a few times by the desk."""

    redis_url: str = ""
    """Redis URL. Empty: a private Redis on a unix socket, started by ``nightread up``."""

    redis_password: SecretStr = SecretStr("")
    """Password for ``NIGHTREAD_REDIS_URL``, where that holds none. Better in a file as well."""

    ae_title: AETitle = "NIGHTREAD"
    """Our AE title: what a PACS must call."""

    dicom_host: str = "127.0.0.1"
    """Address to listen on. Loopback by default: being reachable is a decision."""

    dicom_port: int = Field(default=11112, ge=0, le=65535)
    """TCP port to listen on. 11112 is registered for DICOM and needs no privilege. 0: none, where
    all senders use TLS."""

    tls_port: int = Field(default=0, ge=0, le=65535)
    """TCP port for DICOM over TLS 1.2 or newer; 2762 is registered for it. 0: none."""

    tls_certificate: Path | None = None
    """Our certificate and those that lead to its authority, as PEM. Needed with a TLS port."""

    tls_key: Path | None = None
    """The certificate's key, as unencrypted PEM, readable by us alone."""

    tls_authorities: Path | None = None
    """Certificates, as PEM, of those who sign the senders': then each sender must show one. Empty:
    the connection is encrypted, and anybody may open it."""

    calling_ae_titles: Annotated[tuple[AETitle, ...], NoDecode] = ()
    """AE titles that may call, separated by commas. Empty: any, which suits loopback."""

    storing_ae_titles: Annotated[tuple[AETitle, ...], NoDecode] = ()
    """AE titles that may send images. Others that may call may echo alone, as a monitor does; their
    images are refused with 0x0124. Empty: all that may call."""

    allowed_networks: Annotated[tuple[Network, ...], NoDecode] = ()
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

    minimum_free_gigabytes: float = Field(default=1.0, ge=0, le=1e6)
    """Free space below which images are refused (0xA700) before a byte is kept, in 10^9 bytes."""

    low_free_gigabytes: float = Field(default=0.0, ge=0, le=1e6)
    """Free space below which the disk is said to be low: the worklist and a monitor say so, and
    what retention rules let go may go. In 10^9 bytes. 0: three times the free space below which
    images are refused."""

    retention_file: Path | None = None
    """TOML file of the rules by which pixels are removed (docs/keeping.md). Empty: everything is
    kept."""

    watch_host: str = "127.0.0.1"
    """Address at which processes answer a monitor (docs/watching.md): to anybody who reaches it."""

    listener_watch_port: int = Field(default=0, ge=0, le=65535)
    """TCP port of the listener's ``/healthz``, ``/readyz`` and ``/metrics``. 0: none."""

    worker_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the worker."""

    worklist_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the worklist."""

    courier_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the courier."""

    night_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the night."""

    adt_port: int = Field(default=0, ge=0, le=65535)
    """TCP port for the hospital's HL7 feed of patients (docs/patients.md). 0: none."""

    adt_host: str = "127.0.0.1"
    """Address of that port. Loopback by default: who reaches it can make two patients one."""

    adt_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    """Addresses or networks that the feed may come from, separated by commas. Empty: any."""

    adt_applications: Annotated[tuple[str, ...], NoDecode] = ()
    """Sending applications (MSH-3) whose messages are taken, separated by commas. Empty: all."""

    adt_authority: str = ""
    """Assigning authority, as PID-3.4 has it, of the identifiers that images carry without an
    issuer. Needed with the port: the same number of another authority is another patient."""

    adt_tls: bool = False
    """Whether the feed speaks TLS, with the certificate, key and authorities of the door."""

    adt_watch_port: int = Field(default=0, ge=0, le=65535)
    """TCP port of the feed's ``/healthz``, ``/readyz`` and ``/metrics``. 0: none."""
    relay_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the relay of the audit."""

    sources_file: Path | None = None
    """File of PACS that images are fetched from, and of what is fetched night after night
    (docs/night.md). Empty: nothing is fetched."""

    model: str = Field(default="mobilenet_v2", min_length=1)
    """The classifier: the name of a bundle that ships, or a bundle's folder."""

    shadow_model: str = ""
    """A second classifier that scores beside the first: a bundle, as for the model. What it says is
    recorded and is behind no verdict. Empty: none. It costs its share of the scoring time."""

    models_dir: Path | None = None
    """Folder of further bundles, each in a folder of its own: with those that ship and the two
    above, what a worker can be appointed (docs/models.md). Empty: none."""

    abstain_unlike: bool = True
    """Whether an image that is unlike the model's training images is not scored, with that reason.
    Off: it is scored all the same, and its strangeness is recorded beside the score."""

    minimum_age_years: float = Field(default=2.0, ge=0, le=120)
    """Younger patients are not scored: growth plates look like fractures to a classifier that saw
    few infants. In years; 0 scores everyone. An unknown age is scored."""

    study_quiet_seconds: float = Field(default=30.0, ge=0, le=86400)
    """A study whose association stays open is announced to the workers after this long without a
    new image. A closed association announces at once."""

    overnight_ae_titles: Annotated[tuple[AETitle, ...], NoDecode] = ()
    """AE titles whose images are backlog: they are read when nothing else waits. Separated by
    commas."""

    overnight_days: int = Field(default=2, ge=0, le=36500)
    """A study of so many days ago, or more, is backlog as well: a prior that is sent along must not
    stand before the patient who is waiting. 0: every study that has a date."""

    worker_processes: int = Field(default=0, ge=0, le=256)
    """Scoring processes of one worker. 0: one for each core, as far as the memory goes. Each holds
    the classifier and a process that reads images, about 1 GB together."""

    worker_threads: int = Field(default=0, ge=0, le=256)
    """Threads of one scoring process. 0: the machine's cores shared among the processes."""

    batch_images: int = Field(default=8, ge=1, le=256)
    """Images that are claimed together, of one study or of several: bounds memory."""

    precision: Precision = Precision.AUTO
    """How scores are computed: ``float32``; ``bfloat16``, where close calls are repeated in
    float32; or ``auto``, the second on processors that have instructions for it."""

    compile: bool = False
    """Whether the network is compiled when a worker starts, which needs a C++ compiler there."""

    read_seconds: float = Field(default=60.0, ge=1, le=3600)
    """How long one image may take to be decoded. Its process is ended then; the image is tried
    again, and listed as failed after its attempts."""

    read_gigabytes: float = Field(default=2.0, ge=0.25, le=1000)
    """How much memory one image may take to be decoded, in 10^9 bytes. 20 megapixels need 0.3."""

    lease_seconds: float = Field(default=30.0, ge=1, le=3600)
    """How long after a worker's last sign of life another takes up its images. It gives one every
    third of this while it is at work."""

    sweep_seconds: float = Field(default=5.0, ge=0.2, le=3600)
    """How often studies with waiting images are looked for, whatever Redis remembers."""

    maximum_attempts: int = Field(default=3, ge=1, le=100)
    """Attempts at an image before it is listed as failed, with its error."""

    worklist_host: str = "127.0.0.1"
    """Address that the worklist is served on. Beyond loopback somebody must have an account."""

    worklist_port: int = Field(default=8080, ge=0, le=65535)
    """TCP port of the worklist. 0: none is served."""

    worklist_behind_https: bool = False
    """Whether browsers reach the worklist over HTTPS, by a proxy in front of it: the cookie is then
    sent over nothing else."""

    worklist_url: str = ""
    """Address under which browsers reach the worklist, as ``https://nightread.hospital``: a sign-in
    service sends people back there."""

    openid_issuer: str = ""
    """Issuer of the hospital's sign-in service (OpenID Connect). Empty: passwords alone."""

    openid_client_id: str = "nightread"
    """Who we are to the sign-in service."""

    openid_client_secret: SecretStr = SecretStr("")
    """What shows it that we are. Empty: a public client. Better in a file than in a variable."""

    openid_claim: str = Field(default="preferred_username", pattern="^[A-Za-z_]+$")
    """Which of the service's claims is the name of an account here; ``email`` must be verified."""

    idle_minutes: float = Field(default=30.0, ge=1, le=720)
    """After so long without a request somebody is signed out."""

    destinations_file: Path | None = None
    """TOML file of the destinations that results are sent to, as docs/results.md describes it.
    Empty: nothing is sent."""

    delivery_quiet_seconds: float = Field(default=10.0, ge=0, le=3600)
    """For how long nothing new may have come of a study before its results are sent."""

    audit_syslog: str = ""
    """Audit repository of the hospital that audit messages are sent to over TLS (docs/security.md),
    as ``audit.hospital:6514``; 6514 where no port is named. Empty: none is sent."""

    audit_syslog_authorities: Path | None = None
    """Certificates, as PEM, of those who sign the repository's. Empty: those of the system."""

    audit_syslog_certificate: Path | None = None
    """Our certificate, as PEM, where the repository asks for one."""

    audit_syslog_key: Path | None = None
    """The certificate's key, as unencrypted PEM, readable by us alone."""

    viewer_links: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    """Links to the PACS's own viewers, as ``OHIF=https://pacs/viewer?StudyInstanceUIDs={study}``,
    separated by blanks. ``{study}``, ``{accession}`` and ``{patient}`` are filled in."""

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """DEBUG, INFO, WARNING or ERROR."""

    @field_validator("allowed_networks", "adt_networks", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        # Runs after the next one. Python's words are better than those for a union of two kinds.
        return tuple(ip_network(str(part)) for part in value)

    @field_validator(
        "calling_ae_titles",
        "storing_ae_titles",
        "overnight_ae_titles",
        "allowed_networks",
        "adt_networks",
        "adt_applications",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

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

    @field_validator("viewer_links", mode="before")
    @classmethod
    def _split_links(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        if not isinstance(value, str):
            return value
        found = {}
        for part in value.split():
            name, _, address = part.partition("=")
            filled = address
            for placeholder in ("{study}", "{accession}", "{patient}"):
                filled = filled.replace(placeholder, "")
            if "{" in filled or "}" in filled:
                raise ValueError(
                    f"{part} may hold {{study}}, {{accession}} and {{patient}}, no other braces"
                )
            if not name or not address.startswith(("https://", "http://", "weasis://")):
                raise ValueError(f"{part} is not of the form NAME=https://...")
            found[name] = address
        return found

    @field_validator(
        "tls_certificate",
        "tls_key",
        "tls_authorities",
        "archive_credentials_file",
        "models_dir",
        "destinations_file",
        "retention_file",
        "audit_syslog_authorities",
        "audit_syslog_certificate",
        "audit_syslog_key",
        mode="before",
    )
    @classmethod
    def _no_path(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        return None if value == "" else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_level(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        return value.upper() if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            value = value.replace("postgresql://", "postgresql+psycopg://", 1)
        if "?" in value and value.startswith("sqlite:"):
            raise ValueError("the URL of a SQLite file takes no options")
        require_port(value)
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(
                "sqlite:////absolute/path.sqlite or postgresql://user@host/database is needed"
            )
        return value

    @field_validator("archive_url")
    @classmethod
    def _known_archive(cls, value: str) -> str:
        if value.startswith("s3://"):
            S3Address.read(value)
        elif value and not value.startswith("file:///"):
            raise ValueError("file:///absolute/path or s3://bucket/prefix is needed")
        return value

    @field_validator("archive_endpoint")
    @classmethod
    def _safe_endpoint(cls, value: str) -> str:
        return require_safe(value).rstrip("/") if value else value

    @field_validator("redis_url")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "redis+socket://")):
            raise ValueError("redis://, rediss:// or redis+socket:// is needed")
        require_port(value)
        return value

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
    def _repository_is_shown_a_pair(self) -> Settings:
        if (self.audit_syslog_certificate is None) != (self.audit_syslog_key is None):
            raise ValueError(
                "NIGHTREAD_AUDIT_SYSLOG_CERTIFICATE and NIGHTREAD_AUDIT_SYSLOG_KEY go together: "
                "set both or neither"
            )
        return self

    @model_validator(mode="after")
    def _passwords_have_a_place(self) -> Settings:
        if self.database_password:
            _require_place("DATABASE", self.database_url, ("postgresql",))
            if not urlsplit(self.database_url).username:
                raise ValueError(
                    "NIGHTREAD_DATABASE_PASSWORD is set, and NIGHTREAD_DATABASE_URL names no user "
                    "that it is of: postgresql://user@host/database"
                )
        if self.redis_password:
            _require_place("REDIS", self.redis_url, ("redis://", "rediss://"))
        return self

    @model_validator(mode="after")
    def _lease_outlives_sweep(self) -> Settings:
        if self.lease_seconds < self.sweep_seconds:
            raise ValueError(
                "NIGHTREAD_LEASE_SECONDS must be at least NIGHTREAD_SWEEP_SECONDS: "
                f"{self.lease_seconds:g} is below {self.sweep_seconds:g}"
            )
        return self

    @field_validator("worklist_url", "openid_issuer")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        if value and (urlsplit(value).query or urlsplit(value).fragment):
            raise ValueError("it may hold no ? and no #")
        return require_safe(value).rstrip("/") if value else value

    @field_validator("worklist_url")
    @classmethod
    def _no_folder(cls, value: str) -> str:
        if urlsplit(value).path:
            raise ValueError("the worklist is served at / alone: it may hold no path")
        return value

    @model_validator(mode="after")
    def _sign_in_comes_back(self) -> Settings:
        if self.openid_issuer and not (self.worklist_url and self.openid_client_id):
            raise ValueError(
                "NIGHTREAD_OPENID_ISSUER needs NIGHTREAD_WORKLIST_URL, where the sign-in service "
                "sends people back to, and NIGHTREAD_OPENID_CLIENT_ID"
            )
        return self

    @model_validator(mode="after")
    def _door_is_safe(self) -> Settings:
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

    @model_validator(mode="after")
    def _feed_is_safe(self) -> Settings:
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

    @property
    def lane_rule(self) -> LaneRule:
        """What belongs to the backlog."""
        return LaneRule(frozenset(self.overnight_ae_titles), self.overnight_days)

    @property
    def archive_dir(self) -> Path:
        """Folder of the received bytes; with S3, of what is arriving here and of copies."""
        if self.archive_url.startswith("file://"):
            return Path(unquote(urlsplit(self.archive_url).path))
        return self.data_dir / "archive"

    @property
    def export_key(self) -> Path:
        """File of the key by which exported cases get their pseudonyms."""
        return self.data_dir / "export.key"

    @property
    def outgoing_dir(self) -> Path:
        """Folder of what is on its way to a PACS."""
        return self.data_dir / "outgoing"

    @property
    def records_url(self) -> str:
        """SQLAlchemy URL of the records, with the embedded default or the password filled in."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'nightread.sqlite'}"
        return with_password(self.database_url, self.database_password.get_secret_value())

    @property
    def embedded_redis_socket(self) -> Path:
        """Unix socket of the private Redis.

        It stands in the temporary folder where the data folder's path is too long for a socket.
        """
        socket = self.data_dir / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT:
            return socket
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"nightread-{os.getuid()}-{name}" / "redis.sock"

    @property
    def broker_url(self) -> str:
        """URL of the Redis for messages, with the embedded default or the password filled in."""
        if not self.redis_url:
            return f"redis+socket://{self.embedded_redis_socket}"
        return with_password(self.redis_url, self.redis_password.get_secret_value())

    @property
    def minimum_free_bytes(self) -> int:
        """`minimum_free_gigabytes` in bytes."""
        return int(self.minimum_free_gigabytes * 1e9)

    @property
    def low_free_bytes(self) -> int:
        """`low_free_gigabytes` in bytes, and never below `minimum_free_bytes`."""
        chosen = int(self.low_free_gigabytes * 1e9) or 3 * self.minimum_free_bytes
        return max(chosen, self.minimum_free_bytes)
