"""Kinds of values that several settings have, and how they are written into a variable."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict

PREFIX = "NIGHTREAD_"

CONFIG = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")


def _ae_title(value: str) -> str:
    """Check an AE title against the value representation AE, PS3.5 6.2."""
    title = value.strip(" ")
    if not 1 <= len(title) <= 16:
        raise ValueError("an AE title has 1 to 16 characters besides leading and trailing spaces")
    if any(not " " <= character <= "~" or character == "\\" for character in title):
        raise ValueError("an AE title is of printable ASCII without backslash")
    return title


def _split(value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _networks(value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
    # Python's words are better than those for a union of two kinds.
    return tuple(ip_network(str(part)) for part in _split(value))


def _no_path(value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
    return None if value == "" else value


AETitle = Annotated[str, AfterValidator(_ae_title)]
AETitles = Annotated[tuple[AETitle, ...], NoDecode, BeforeValidator(_split)]
Network = IPv4Network | IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
OptionalPath = Annotated[Path | None, BeforeValidator(_no_path)]
