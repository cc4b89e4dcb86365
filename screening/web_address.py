"""Addresses of the web that somebody sets: what they must be."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_port(url: str) -> None:
    """Refuse an address whose port is none.

    Raises
    ------
    ValueError
        If it is no number from 0 to 65535.
    """
    try:
        urlsplit(url).port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise ValueError("the port after the host must be a number from 0 to 65535") from None


def require_safe(url: str) -> str:
    """Return an address over which a secret may go.

    Raises
    ------
    ValueError
        If it is not of https, or of http on this machine, or holds a user.
    """
    require_port(url)
    parts = urlsplit(url)
    here = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not (here or parts.scheme == "https") or not parts.hostname:
        raise ValueError("https:// is needed; http:// is enough on this machine alone")
    if "@" in parts.netloc:
        raise ValueError("it may hold no user")
    return url


def with_password(url: str, password: str) -> str:
    """Return an address with a password put after its user, or the address where there is none."""
    if not password:
        return url
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def without_password(url: str) -> str:
    """Return an address, or anything else, as it may be shown."""
    shown = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&][a-z_]*password=)[^&]*", r"\1***", shown)
