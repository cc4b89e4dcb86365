"""Where the worklist is served, and who vouches for those who sign in."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from screening.settings.values import CONFIG
from screening.web_address import require_safe


class DeskSettings(BaseSettings):
    """The desk: its address, signing in, other viewers."""

    model_config = CONFIG

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

    viewer_links: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    """Links to the PACS's own viewers, as ``OHIF=https://pacs/viewer?StudyInstanceUIDs={study}``,
    separated by blanks. ``{study}``, ``{accession}`` and ``{patient}`` are filled in."""

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
    def _sign_in_comes_back(self) -> Self:
        if self.openid_issuer and not (self.worklist_url and self.openid_client_id):
            raise ValueError(
                "NIGHTREAD_OPENID_ISSUER needs NIGHTREAD_WORKLIST_URL, where the sign-in service "
                "sends people back to, and NIGHTREAD_OPENID_CLIENT_ID"
            )
        return self
